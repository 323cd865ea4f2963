"""The causal video autoencoder: pixels in [-1, 1] to latents and back, whole or chunk by chunk.

Layouts, module names and configuration fields are those of diffusers' `AutoencoderKLWan`, so that checkpoints
move both ways with no mapping: Wan 2.1 (plain blocks) and Wan 2.2 (patches, residual stages).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from worldloom.core.checkpoint import save_tensors
from worldloom.core.config import from_dict, to_dict
from worldloom.core.error import UsageError
from worldloom.core.file import read_json, write_json
from worldloom.core.weights import Weights, find_weights
from worldloom.nn.causal_conv import PointwiseConv3d, StreamState
from worldloom.nn.placing import place
from worldloom.nn.widened import call, computes_wide
from worldloom.vae.decoder import Decoder
from worldloom.vae.encoder import Encoder
from worldloom.vae.patch import fold_patches, unfold_patches
from worldloom.vae.stream import DecoderStream, EncoderStream

CONFIG_FILE, WEIGHTS_FILE = "config.json", "diffusion_pytorch_model.safetensors"
CLASS_NAME = "AutoencoderKLWan"
# Fields that folders written before Wan 2.2 lack; these values are the format's.
EARLY_FORMAT: dict[str, Any] = {
    "decoder_base_dim": None,
    "is_residual": False,
    "in_channels": 3,
    "out_channels": 3,
    "patch_size": None,
    "scale_factor_temporal": 4,
    "scale_factor_spatial": 8,
}
# `clip_output` stands in the published Wan 2.2 folder; no released class reads it.
NOT_CONFIG = ("_class_name", "_diffusers_version", "_name_or_path", "clip_output")
# The range in which diffusers' diagonal Gaussian holds the logarithm of the variance.
LOGVAR_RANGE = (-30.0, 20.0)
# Latent frames worked through at once outside training share every layer's set-up, which pays for small pictures;
# for large ones it only costs memory. At most so many frames, and so many latent cells where that is more than one.
MOST_AT_ONCE, CELLS_AT_ONCE = 9, 2304


@dataclass(frozen=True)
class AutoencoderConfig:
    """Layout of an autoencoder; the fields are those of diffusers' AutoencoderKLWan, spelling included.

    base_dim: channels of the encoder's first stage, of which the other stages have multiples.
    decoder_base_dim: the same for the decoder; None means `base_dim`.
    dim_mult: width of each stage in multiples of the base; between two stages the picture is halved.
    num_res_blocks: residual blocks per encoder stage; a decoder stage has one more.
    temperal_downsample: for each halving of the picture, whether time is halved as well.
    latents_mean, latents_std: per latent channel, what `encode` subtracts and divides by.
    is_residual: Wan 2.2's stages with shortcuts instead of Wan 2.1's plain ones.
    patch_size: side of the square of pixels folded into channels first; None folds nothing.
    attn_scales, dropout: empty and 0 in every published layout, and refused otherwise.
    """

    base_dim: int
    decoder_base_dim: int | None
    z_dim: int
    dim_mult: tuple[int, ...]
    num_res_blocks: int
    temperal_downsample: tuple[bool, ...]
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]
    is_residual: bool
    in_channels: int
    out_channels: int
    patch_size: int | None
    scale_factor_temporal: int
    scale_factor_spatial: int
    attn_scales: tuple[float, ...] = ()
    dropout: float = 0.0

    def __post_init__(self) -> None:
        patch = self.patch_size or 1
        halvings = len(self.dim_mult) - 1
        needed = {
            "attn_scales": ((), self.attn_scales),
            "dropout": (0.0, self.dropout),
            "length of temperal_downsample": (halvings, len(self.temperal_downsample)),
            "length of latents_mean": (self.z_dim, len(self.latents_mean)),
            "length of latents_std": (self.z_dim, len(self.latents_std)),
            "in_channels": (3 * patch**2, self.in_channels),
            "out_channels": (3 * patch**2, self.out_channels),
            "scale_factor_temporal": (2 ** sum(self.temperal_downsample), self.scale_factor_temporal),
            "scale_factor_spatial": (patch * 2**halvings, self.scale_factor_spatial),
        }
        for name, (allowed, actual) in needed.items():
            if actual != allowed:
                raise UsageError(f"autoencoder: {name} is {actual}, this layout needs {allowed}")


class Autoencoder(nn.Module):
    """Causal 3-D autoencoder; `posterior` and `reconstruct` are for training, `encode` and `decode` for use."""

    latents_mean: Tensor
    latents_std: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        z, temporal = config.z_dim, config.temperal_downsample
        blocks, residual = config.num_res_blocks, config.is_residual
        base = config.base_dim
        decoder_base = base if config.decoder_base_dim is None else config.decoder_base_dim
        rising = tuple(base * m for m in (1, *config.dim_mult))
        falling = tuple(decoder_base * m for m in (config.dim_mult[-1], *reversed(config.dim_mult)))
        self.encoder = Encoder(config.in_channels, 2 * z, rising, blocks, temporal, residual)
        self.quant_conv = PointwiseConv3d(2 * z, 2 * z)
        self.post_quant_conv = PointwiseConv3d(z, z)
        self.decoder = Decoder(z, config.out_channels, falling, blocks + 1, temporal[::-1], residual)
        self.register_buffer("latents_mean", None, persistent=False)
        self.register_buffer("latents_std", None, persistent=False)
        self._set_config(config)

    @property
    def temporal_stride(self) -> int:
        """Frames per latent frame; a clip's first frame has one to itself."""
        return self.config.scale_factor_temporal

    @property
    def spatial_stride(self) -> int:
        """Pixels per latent cell along height and along width."""
        return self.config.scale_factor_spatial

    @property
    def latent_channels(self) -> int:
        """Channels of a latent cell."""
        return self.config.z_dim

    def posterior(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw mean and log-variance, each [B, C, f, h, w], of video [B, 3, 4n + 1, H, W] in [-1, 1].

        One pass over the whole clip, with gradients. Raises UsageError for sizes that do not divide.
        """
        check_frames(video.shape[2], self.temporal_stride)
        return self.posterior_of_chunk(video)

    def reconstruct(self, z_raw: Tensor) -> Tensor:
        """Return video [B, 3, 4f - 3, H, W], not clamped, of raw latents [B, C, f, h, w].

        One pass over the whole clip, with gradients.
        """
        return self.pixels_of_chunk(z_raw)

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """Return normalised latents [B, C, f, h, w], the posterior's mean, of video [B, 3, 4n + 1, H, W]."""
        check_frames(video.shape[2], self.temporal_stride)
        check_size(video.shape[3], video.shape[4], self.spatial_stride)
        stream = self.encoder_stream()
        at_once = latent_frames_at_once(*(side // self.spatial_stride for side in video.shape[3:]))
        head = 1 + (at_once - 1) * self.temporal_stride
        chunks = [video[:, :, :head], *video[:, :, head:].split(at_once * self.temporal_stride, dim=2)]
        return torch.cat([stream.push(chunk) for chunk in chunks if chunk.shape[2]], dim=2)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Return video [B, 3, 4f - 3, H, W] in [-1, 1] of normalised latents [B, C, f, h, w]."""
        stream = self.decoder_stream()
        return torch.cat([stream.push(chunk) for chunk in in_pieces(latents)], dim=2)

    def encoder_stream(self) -> EncoderStream:
        """Return a stream that encodes a clip pushed in pieces of any length, in constant memory."""
        return EncoderStream(self)

    def decoder_stream(self) -> DecoderStream:
        """Return a stream that decodes latents pushed in pieces of any length, in constant memory."""
        return DecoderStream(self)

    def posterior_of_chunk(self, video: Tensor, state: StreamState | None = None) -> tuple[Tensor, Tensor]:
        """Return raw mean and log-variance of the next 4n frames (4n + 1 at the start) of a stream."""
        check_size(video.shape[3], video.shape[4], self.spatial_stride)
        patched = fold_patches(video, self.config.patch_size or 1)
        patched = patched.to(memory_format=torch.channels_last_3d)
        wide = computes_wide(self.quant_conv.weight)
        moments = call(self.quant_conv, call(self.encoder, patched, state, wide=wide), wide=wide)
        mean, logvar = moments.to(video.dtype).chunk(2, dim=1)
        return mean, logvar.clamp(*LOGVAR_RANGE)

    def pixels_of_chunk(self, z_raw: Tensor, state: StreamState | None = None) -> Tensor:
        """Return the pixels, not clamped, of the next raw latents of a stream."""
        z_raw = z_raw.to(memory_format=torch.channels_last_3d)
        wide = computes_wide(self.post_quant_conv.weight)
        patched = call(self.decoder, call(self.post_quant_conv, z_raw, wide=wide), state, wide=wide)
        return unfold_patches(patched.to(z_raw.dtype), self.config.patch_size or 1)

    def normalise(self, z_raw: Tensor) -> Tensor:
        """Bring raw latents [B, C, ...] to zero mean and unit deviation per channel."""
        return (z_raw - self.latents_mean.to(z_raw)) / self.latents_std.to(z_raw)

    def denormalise(self, latents: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return latents * self.latents_std.to(latents) + self.latents_mean.to(latents)

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Store the raw latents' mean [C] and standard deviation [C], measured on training data."""
        if not bool((std > 0).all()):
            raise UsageError(
                f"latent standard deviations must be positive, the smallest is {float(std.min())}"
            )
        means, deviations = tuple(mean.tolist()), tuple(std.tolist())
        self._set_config(replace(self.config, latents_mean=means, latents_std=deviations))

    def _set_config(self, config: AutoencoderConfig) -> None:
        self.config = config
        like = self.quant_conv.weight
        for name in ("latents_mean", "latents_std"):
            values = torch.tensor(getattr(config, name), dtype=torch.float32, device=like.device)
            setattr(self, name, values.view(-1, 1, 1, 1))

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and the weights in the diffusers layout into `folder`, which is made if absent."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / WEIGHTS_FILE, self.state_dict())
        write_json(folder / CONFIG_FILE, {"_class_name": CLASS_NAME, **to_dict(self.config)})

    @classmethod
    def load(
        cls, folder: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> Autoencoder:
        """Return the autoencoder in a diffusers-layout folder, ready for use.

        Raises UsageError for a folder or configuration of another kind, Failure for missing, extra or misshapen
        tensors.
        """
        folder = Path(folder)
        config = config_of(read_json(folder / CONFIG_FILE))
        with torch.device("meta"):
            model = cls(config)
        weights = Weights(find_weights(folder))
        weights.check({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
        place(model, weights, dict.fromkeys(weights.info, dtype), device)
        model._set_config(config)
        return model.requires_grad_(False)


def config_of(values: Mapping[str, Any]) -> AutoencoderConfig:
    """Return the configuration that a diffusers `config.json` holds; raises UsageError for another class's."""
    name = values.get("_class_name", CLASS_NAME)
    if name != CLASS_NAME:
        raise UsageError(f"this folder holds a {name}, an autoencoder must be an {CLASS_NAME}")
    fields = {key: value for key, value in values.items() if key not in NOT_CONFIG}
    return from_dict(AutoencoderConfig, EARLY_FORMAT | fields)


def latent_frames_at_once(height: int, width: int) -> int:
    """Return how many latent frames of `height` x `width` cells to work through at once."""
    return min(MOST_AT_ONCE, max(1, CELLS_AT_ONCE // (height * width)))


def in_pieces(latents: Tensor) -> tuple[Tensor, ...]:
    """Cut [B, C, f, h, w] along time into as many frames as are worked through at once."""
    return latents.split(latent_frames_at_once(*latents.shape[3:]), dim=2)


def check_frames(frames: int, stride: int) -> None:
    """Raise UsageError unless `frames` is a multiple of the temporal stride plus one."""
    if (frames % stride != 1 and stride > 1) or frames < 1:
        below = max(frames - 1, 0) // stride * stride + 1
        raise UsageError(
            f"a clip to encode must have {stride}n + 1 frames, this one has {frames}; "
            f"the nearest are {below} and {below + stride}"
        )


def check_size(height: int, width: int, stride: int) -> None:
    """Raise UsageError unless height and width are multiples of the spatial stride."""
    if height % stride or width % stride or not height or not width:
        raise UsageError(f"width and height must be multiples of {stride}, this video is {width}x{height}")
