"""The autoencoder against diffusers' AutoencoderKLWan, against itself chunk by chunk, and against bad input."""

import dataclasses
import json
from collections.abc import Callable

import pytest
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import load_file, save_file

from worldloom.core.config import to_dict
from worldloom.core.error import Failure, UsageError
from worldloom.vae import presets
from worldloom.vae.autoencoder import CONFIG_FILE, WEIGHTS_FILE, Autoencoder, AutoencoderConfig, config_of

LAYOUTS = {
    "wan21": dataclasses.replace(presets.wan21(), base_dim=8, num_res_blocks=1),
    "wan22": dataclasses.replace(presets.wan22(), base_dim=8, decoder_base_dim=12, num_res_blocks=1),
    "debug": presets.debug(),
}


def build(config: AutoencoderConfig, seed: int = 0) -> Autoencoder:
    """An autoencoder whose norms and biases are as random as its convolutions."""
    torch.manual_seed(seed)
    model = Autoencoder(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            parameter.copy_(1 + 0.3 * torch.randn_like(parameter))
        elif name.endswith("bias"):
            parameter.copy_(0.1 * torch.randn_like(parameter))
    return model


def clip_for(model: Autoencoder, frames: int, batch: int = 1, seed: int = 1) -> torch.Tensor:
    """Noise of 2 x 3 latent cells in [-1, 1]."""
    height, width = 2 * model.spatial_stride, 3 * model.spatial_stride
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, frames, height, width, generator=generator) * 2 - 1


def worst(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference relative to the largest expected value."""
    assert actual.shape == expected.shape
    return ((actual - expected).abs().max() / expected.abs().max()).item()


@pytest.fixture(scope="module", params=LAYOUTS, name="model")
def _model(request: pytest.FixtureRequest) -> Autoencoder:
    return build(LAYOUTS[request.param])


@pytest.fixture(scope="module", name="peer")
def _peer(model: Autoencoder) -> AutoencoderKLWan:
    peer = AutoencoderKLWan(**to_dict(model.config)).eval()
    peer.load_state_dict(model.state_dict(), strict=True)
    return peer


@pytest.mark.parametrize("frames", [1, 5, 17, 33])
@torch.no_grad()
def test_encode_and_decode_equal_diffusers(model: Autoencoder, peer: AutoencoderKLWan, frames: int) -> None:
    video = clip_for(model, frames, batch=2)
    reference = peer.encode(video).latent_dist
    mean, logvar = model.posterior(video)
    assert worst(mean, reference.mean) < 1e-4 and worst(logvar, reference.logvar) < 1e-4
    assert worst(model.denormalise(model.encode(video)), reference.mean) < 1e-4
    decoded = peer.decode(reference.mean).sample
    assert worst(model.reconstruct(reference.mean).clamp(-1, 1), decoded) < 1e-4
    assert worst(model.decode(model.normalise(reference.mean)), decoded) < 1e-4


@pytest.mark.parametrize("preset", [presets.wan21, presets.wan22, presets.tiny, presets.debug])
def test_keys_and_shapes_of_full_size_layouts_equal_diffusers(preset) -> None:
    with torch.device("meta"):
        ours = Autoencoder(preset()).state_dict()
        theirs = AutoencoderKLWan(**to_dict(preset())).state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {n: t.shape for n, t in theirs.items()}


@pytest.mark.parametrize("cuts", [[1] * 17, [17], [2, 3, 7, 5], [4, 13], [16, 1]])
def test_streaming_encode_equals_whole(model: Autoencoder, cuts: list[int]) -> None:
    video = clip_for(model, 17)
    stream = model.encoder_stream()
    latents = torch.cat([stream.push(chunk) for chunk in video.split(cuts, dim=2)], dim=2)
    stream.close()
    whole = model.normalise(model.posterior(video)[0])
    assert latents.shape == whole.shape
    assert (latents - whole).abs().max() <= 1e-5


@pytest.mark.parametrize("cuts", [[1] * 6, [6], [2, 1, 3], [1, 5]])
def test_streaming_decode_equals_whole(model: Autoencoder, cuts: list[int]) -> None:
    latents = torch.randn(1, model.latent_channels, 6, 2, 3, generator=torch.Generator().manual_seed(2))
    stream = model.decoder_stream()
    video = torch.cat([stream.push(chunk) for chunk in latents.split(cuts, dim=2)], dim=2)
    whole = model.reconstruct(model.denormalise(latents)).clamp(-1, 1)
    assert video.shape == whole.shape == (1, 3, 21, *video.shape[3:])
    assert (video - whole).abs().max() <= 1e-5


def test_an_open_latent_frame_is_reported_at_the_end(model: Autoencoder) -> None:
    stream = model.encoder_stream()
    assert stream.push(clip_for(model, 3)).shape[2] == 1
    assert stream.held == 2
    with pytest.raises(UsageError, match="2 frames into a latent frame of 4"):
        stream.close()


def test_later_frames_do_not_reach_earlier_ones(model: Autoencoder) -> None:
    video, other = clip_for(model, 17), clip_for(model, 17, seed=9)
    changed = torch.cat([video[:, :, :9], other[:, :, 9:]], dim=2)
    before, after = model.posterior(video)[0], model.posterior(changed)[0]
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert not torch.allclose(before[:, :, 3], after[:, :, 3])
    z = before.clone()
    z[:, :, 3:] += 1
    first, second = model.reconstruct(before), model.reconstruct(z)
    assert torch.equal(first[:, :, :9], second[:, :, :9])
    assert not torch.allclose(first[:, :, 9], second[:, :, 9])


def test_a_picture_is_the_first_frame_of_a_video(model: Autoencoder) -> None:
    video = clip_for(model, 5)
    picture = model.posterior(video[:, :, :1])[0]
    assert worst(picture, model.posterior(video)[0][:, :, :1]) < 1e-5
    assert worst(model.reconstruct(picture), model.reconstruct(model.posterior(video)[0])[:, :, :1]) < 1e-5


def test_members_of_a_batch_do_not_mix(model: Autoencoder) -> None:
    video = clip_for(model, 5, batch=3)
    alone = torch.cat([model.encode(one) for one in video.split(1)])
    assert worst(model.encode(video), alone) < 1e-5
    latents = model.encode(video)
    assert worst(model.decode(latents), torch.cat([model.decode(one) for one in latents.split(1)])) < 1e-5


def test_every_parameter_gets_a_gradient_and_training_learns() -> None:
    torch.manual_seed(0)
    model = Autoencoder(presets.debug())
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    video = clip_for(model, 5, batch=2)
    errors = []
    for _ in range(30):
        mean, logvar = model.posterior(video)
        error = (model.reconstruct(mean) - video).square().mean() + 1e-4 * logvar.square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert errors[-1] < 0.85 * errors[0]


def gradients_of(module: torch.nn.Module, objective: Callable[[], torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gradients of every parameter that `objective` reaches."""
    module.requires_grad_(True).zero_grad()
    objective().backward()
    found = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    module.requires_grad_(False)
    return found


def test_gradients_equal_diffusers(model: Autoencoder, peer: AutoencoderKLWan) -> None:
    video = clip_for(model, 9)
    mean = model.posterior(video)[0]
    z = 0.1 * mean
    pull, push = torch.randn_like(mean), clip_for(model, 9, seed=5)
    ours = gradients_of(model, lambda: (model.posterior(video)[0] * pull).sum())
    ours |= gradients_of(model, lambda: (model.reconstruct(z).clamp(-1, 1) * push).sum())
    theirs = gradients_of(peer, lambda: (peer.encode(video).latent_dist.mean * pull).sum())
    theirs |= gradients_of(peer, lambda: (peer.decode(z).sample * push).sum())
    assert set(ours) == set(theirs) == set(model.state_dict())
    for name, gradient in theirs.items():
        assert worst(ours[name], gradient) < 1e-3, name


def test_statistics_normalise_and_are_saved(tmp_path) -> None:
    model = build(presets.debug())
    video = clip_for(model, 9, batch=2)
    raw = model.posterior(video)[0]
    mean, std = raw.mean(dim=(0, 2, 3, 4)), raw.std(dim=(0, 2, 3, 4))
    model.set_statistics(mean, std)
    latents = model.encode(video)
    assert latents.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-4
    assert (latents.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 1e-4
    assert torch.allclose(model.denormalise(latents), raw, atol=1e-4)
    model.save(tmp_path)
    assert torch.equal(Autoencoder.load(tmp_path).encode(video), latents)
    with pytest.raises(UsageError, match="positive"):
        model.set_statistics(mean, std * 0)


def test_a_saved_folder_loads_here_and_in_diffusers(tmp_path, model: Autoencoder) -> None:
    model.save(tmp_path)
    loaded = Autoencoder.load(tmp_path)
    assert loaded.config == model.config and not loaded.training
    peer = AutoencoderKLWan.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
        assert torch.equal(peer.state_dict()[name], tensor)


def test_a_folder_saved_by_diffusers_loads(tmp_path, model: Autoencoder, peer: AutoencoderKLWan) -> None:
    peer.save_pretrained(tmp_path)
    loaded = Autoencoder.load(tmp_path)
    assert loaded.config == model.config
    video = clip_for(model, 5)
    assert torch.equal(loaded.encode(video), model.encode(video))


def test_an_early_config_without_the_later_fields_means_wan21() -> None:
    fields = to_dict(presets.wan21())
    later = ("is_residual", "in_channels", "out_channels", "patch_size", "decoder_base_dim")
    early = {name: value for name, value in fields.items() if name not in later}
    assert config_of({"_class_name": "AutoencoderKLWan", "clip_output": False, **early}) == presets.wan21()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda tensors: tensors.pop("encoder.conv_in.bias"), "encoder.conv_in.bias"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "extra"),
        (lambda tensors: tensors.update({"quant_conv.bias": torch.zeros(3)}), "quant_conv.bias"),
    ],
)
def test_missing_extra_and_misshapen_tensors_are_named(tmp_path, damage, complaint: str) -> None:
    build(presets.debug()).save(tmp_path)
    tensors = load_file(tmp_path / WEIGHTS_FILE)
    damage(tensors)
    save_file(tensors, tmp_path / WEIGHTS_FILE)
    with pytest.raises(Failure, match=complaint):
        Autoencoder.load(tmp_path)


def test_another_class_and_unknown_fields_are_refused(tmp_path) -> None:
    build(presets.debug()).save(tmp_path)
    fields = json.loads((tmp_path / CONFIG_FILE).read_text())
    (tmp_path / CONFIG_FILE).write_text(json.dumps({**fields, "_class_name": "AutoencoderKL"}))
    with pytest.raises(UsageError, match="AutoencoderKL"):
        Autoencoder.load(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(json.dumps({**fields, "z_dimm": 4}))
    with pytest.raises(UsageError, match="z_dimm"):
        Autoencoder.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"dropout": 0.1},
        {"attn_scales": (1.0,)},
        {"z_dim": 5},
        {"in_channels": 3},
        {"temperal_downsample": (True,)},
        {"scale_factor_temporal": 8},
        {"scale_factor_spatial": 4},
        {"dim_mult": (1, 2, 4)},
    ],
)
def test_impossible_layouts_are_refused(change: dict) -> None:
    with pytest.raises(UsageError):
        Autoencoder(dataclasses.replace(presets.debug(), **change))


@pytest.mark.parametrize(("frames", "nearest"), [(4, "1 and 5"), (16, "13 and 17"), (18, "17 and 21")])
def test_frame_counts_that_do_not_divide_are_refused(frames: int, nearest: str) -> None:
    model = build(presets.debug())
    for encode in (model.posterior, model.encode):
        with pytest.raises(UsageError, match=f"{frames}; the nearest are {nearest}"):
            encode(clip_for(model, frames))


def test_sizes_that_do_not_divide_are_refused() -> None:
    model = build(presets.debug())
    for height, width in ((15, 16), (16, 20), (0, 8)):
        with pytest.raises(UsageError, match=f"multiples of 8, this video is {width}x{height}"):
            model.encode(torch.zeros(1, 3, 5, height, width))


def test_activations_stay_channels_last() -> None:
    model = build(presets.debug())
    seen = []
    for block in [*model.encoder.down_blocks, *model.decoder.up_blocks]:
        block.register_forward_hook(lambda _module, _args, out: seen.append(out))
    model.reconstruct(model.posterior(clip_for(model, 9))[0])
    assert len(seen) == 6
    assert all(out.is_contiguous(memory_format=torch.channels_last_3d) for out in seen)


def test_bfloat16_is_close_to_float32() -> None:
    model = build(presets.debug())
    video = clip_for(model, 5)
    expected = model.decode(model.encode(video))
    half = model.to(torch.bfloat16)
    actual = half.decode(half.encode(video.bfloat16())).float()
    assert (actual - expected).abs().mean() < 0.05
