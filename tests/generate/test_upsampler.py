"""The upsampler is causal, streams and tiles exactly, starts as Lanczos, and learns to beat it."""

import pytest
import torch

from worldloom.core.error import Failure, UsageError
from worldloom.generate.upsampler import FOLDER, Upsampler, UpsamplerConfig, UpsamplerStream
from worldloom.nn.lanczos import lanczos
from worldloom.training.pixel import to_video
from worldloom.training.upsampling import halved
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.render import render_take

CONFIG = UpsamplerConfig(width=8, depth=2)


@pytest.fixture
def model() -> Upsampler:
    torch.manual_seed(0)
    model = Upsampler(CONFIG)
    with torch.no_grad():
        model.conv_out.weight.normal_(std=0.1)
    return model.eval().requires_grad_(False)


def test_untrained_it_is_lanczos():
    video = torch.rand(2, 3, 3, 12, 10)
    assert torch.equal(Upsampler(CONFIG)(video), lanczos(video, 24, 20))


def test_the_future_is_not_seen(model):
    video = torch.rand(1, 3, 6, 10, 12)
    changed = video.clone()
    changed[:, :, 4:] += 1
    before, after = model(video), model(changed)
    assert torch.equal(before[:, :, :4], after[:, :, :4]) and not torch.equal(before[:, :, 4], after[:, :, 4])


@pytest.mark.parametrize("band_pixels", [10**6, 12 * 5, 12])
def test_bands_and_chunks_give_the_whole(model, band_pixels):
    video = torch.rand(1, 3, 7, 26, 12) * 2 - 1
    whole = model(video).clamp(-1, 1)
    stream = UpsamplerStream(model, band_pixels)
    parts = [stream.push(chunk) for chunk in video.split([1, 4, 2], dim=2)]
    assert torch.allclose(torch.cat(parts, 2), whole, atol=1e-5)


def test_it_is_saved_whole_and_a_damaged_file_is_named(model, tmp_path):
    model.save(tmp_path / "up")
    again = Upsampler.load(tmp_path / "up")
    video = torch.rand(1, 3, 2, 8, 8)
    assert torch.equal(again(video), model(video))
    weights = tmp_path / "up" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(Failure, match=r"model\.safetensors"):
        Upsampler.load(tmp_path / "up")
    with pytest.raises(UsageError, match="holds no upsampler"):
        Upsampler.load(tmp_path)


def test_the_one_in_the_package_beats_lanczos_on_renders_of_every_family():
    gains = []
    for family in FAMILIES:
        take = render_take(family, 2**62 + 77, width=256, height=256, num_frames=3, supersample=2, wordings=0)
        video = to_video(take.frames[None])
        small = halved(video)
        learned = (Upsampler.load(FOLDER)(small) - video).square().mean()
        plain = (lanczos(small, 256, 256) - video).square().mean()
        gains.append(10 * float(torch.log10(plain / learned)))
    assert min(gains) > 0.3, dict(zip(FAMILIES, gains, strict=True))
    assert sum(gains) / len(gains) > 2
