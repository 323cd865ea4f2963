"""Tiles give what whole frames give, in both layouts; with a smaller halo they would not."""

from dataclasses import replace

import pytest
import torch

from worldloom.core.error import UsageError
from worldloom.vae import presets, tile
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig
from worldloom.vae.tile import decode_tiled, decoder_halo, encode_tiled, encoder_halo


def plain() -> AutoencoderConfig:
    """Wan 2.1's layout, small: two halvings, one of them in time."""
    return replace(
        presets.wan21(),
        base_dim=8,
        z_dim=4,
        dim_mult=(1, 2, 2),
        num_res_blocks=1,
        temperal_downsample=(True, True),
        latents_mean=(0.1, 0.0, -0.2, 0.3),
        latents_std=(1.0, 2.0, 0.5, 1.5),
        scale_factor_spatial=4,
    )


@pytest.fixture(scope="module", params=[presets.debug, plain], ids=["residual", "plain"])
def model(request: pytest.FixtureRequest) -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder(request.param()).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.25)
    return model


def clip(model: Autoencoder, frames: int, rows: int, columns: int) -> torch.Tensor:
    stride = model.spatial_stride
    return torch.rand(1, 3, frames, rows * stride, columns * stride) * 2 - 1


@pytest.mark.parametrize("frames", [1, 9])
def test_encoding_in_tiles_equals_encoding_whole(model: Autoencoder, frames: int) -> None:
    video = clip(model, frames, 15, 9)
    whole = model.encode(video)
    tiled = encode_tiled(model, video, 6 * model.spatial_stride)
    assert (tiled - whole).abs().max() <= 1e-5 * whole.abs().max()


@pytest.mark.parametrize("frames", [1, 3])
def test_decoding_in_tiles_equals_decoding_whole(model: Autoencoder, frames: int) -> None:
    latents = torch.randn(1, 4, frames, 21, 7)
    whole = model.decode(latents)
    assert whole.abs().max() <= 1 and whole.std() > 0.1
    assert (decode_tiled(model, latents, 5 * model.spatial_stride) - whole).abs().max() <= 1e-5


def test_the_halo_is_needed(model: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells at the halo's edge do change the result, so a halo of half of it gives something else."""
    latents, video = torch.randn(1, 4, 1, 15, 2), clip(model, 1, 15, 2)
    for name in ("decoder_halo", "encoder_halo"):
        real = getattr(tile, name)
        monkeypatch.setattr(tile, name, lambda part, real=real: real(part) // 2)
    assert (decode_tiled(model, latents, 5 * model.spatial_stride) - model.decode(latents)).abs().max() > 1e-4
    whole = model.encode(video)
    assert (encode_tiled(model, video, 5 * model.spatial_stride) - whole).abs().max() > 1e-4


def test_halos_of_the_published_layouts() -> None:
    """Counted by hand from the layers: resnets of two 3x3 convolutions, one more for each change of grid, the head."""
    with torch.device("meta"):
        wan21, wan22 = Autoencoder(presets.wan21()), Autoencoder(presets.wan22())
    # 6 cells + 1/2, 6/2 + 1/4, 6/4 + 1/8, 6/8 + 1/8
    assert decoder_halo(wan21.decoder) == decoder_halo(wan22.decoder) == 13
    # pixels: 1 + 4, 1 + 8, 2 + 16, 4 + 32, of 8 to a cell
    assert encoder_halo(wan21.encoder) == encoder_halo(wan22.encoder) == 9


def test_impossible_tiles_are_refused(model: Autoencoder) -> None:
    with pytest.raises(UsageError, match=rf"tiles of 7 pixels .* multiple of {model.spatial_stride}"):
        decode_tiled(model, torch.randn(1, 4, 1, 4, 4), 7)
