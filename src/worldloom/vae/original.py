"""The autoencoder under the names of Wan's original release, and the configuration that its shapes betray.

The original numbers blocks and resamplings of one half in one row; the diffusers layout groups them by stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from worldloom.core.error import UsageError
from worldloom.vae.autoencoder import AutoencoderConfig
from worldloom.vae.presets import wan21, wan22

MARK = "decoder.middle.0.residual.0.gamma"  # a name that every original autoencoder has, and nothing else
RENAMED = (
    (r"^quant_conv\.", "conv1."),
    (r"^post_quant_conv\.", "conv2."),
    (r"\.conv_in\.", ".conv1."),
    (r"\.norm_out\.", ".head.0."),
    (r"\.conv_out\.", ".head.2."),
    (r"\.mid_block\.resnets\.0\.", ".middle.0."),
    (r"\.mid_block\.attentions\.0\.", ".middle.1."),
    (r"\.mid_block\.resnets\.1\.", ".middle.2."),
)
# Inside a residual block, whose layers the original numbers together with what has no weights.
IN_BLOCK = (
    (r"\.norm1\.", ".residual.0."),
    (r"\.conv1\.", ".residual.2."),
    (r"\.norm2\.", ".residual.3."),
    (r"\.conv2\.", ".residual.6."),
    (r"\.conv_shortcut\.", ".shortcut."),
)


def original_name(name: str, config: AutoencoderConfig) -> str:
    """Return what the original release calls a parameter of an `Autoencoder` of this configuration."""
    if "_blocks." in name or "mid_block.resnets" in name:
        for pattern, replacement in IN_BLOCK:
            name = re.sub(pattern, replacement, name)
    if "_blocks." in name:
        return _in_stage(name, config)
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def config_from_original(shapes: Mapping[str, tuple[int, ...]]) -> AutoencoderConfig:
    """Return the configuration of an autoencoder whose tensors have these original names and shapes.

    The two released autoencoders differ in their stages; widths are read from the shapes. Raises UsageError where
    names are missing, or the latents have a channel count whose statistics were never published.
    """
    try:
        base, latent_channels = shapes["encoder.conv1.weight"][0], shapes["conv2.weight"][0]
        decoder_base = shapes["decoder.head.0.gamma"][0]
    except KeyError as error:
        raise UsageError(f"not a whole autoencoder in the original release's names: no {error}") from error
    residual = any(name.startswith("encoder.downsamples.0.downsamples.") for name in shapes)
    published = wan22() if residual else wan21()
    if latent_channels != published.z_dim:
        raise UsageError(
            f"an autoencoder of these stages has {published.z_dim} latent channels, this one has {latent_channels}: "
            "their statistics are unknown"
        )
    return replace(published, base_dim=base, decoder_base_dim=None if decoder_base == base else decoder_base)


def _in_stage(name: str, config: AutoencoderConfig) -> str:
    """Rename a block or resampling inside the stages of one half."""
    half, _, stage, *rest = name.split(".")
    row, depth = ("downsamples", config.num_res_blocks)
    if half == "decoder":
        row, depth = "upsamples", config.num_res_blocks + 1
    if not config.is_residual and half == "encoder":
        return ".".join([half, row, stage, *rest])  # the one half that both layouts number alike
    # resnets.N.x stays number N of its stage; upsamplers.0.x, upsampler.x and downsampler.x come after the last
    if rest[0] == "resnets":
        number, rest = int(rest[1]), rest[2:]
    else:
        number, rest = depth, rest[2:] if rest[0] == "upsamplers" else rest[1:]
    if config.is_residual:
        return ".".join([half, row, stage, row, str(number), *rest])
    return ".".join([half, row, str(int(stage) * (depth + 1) + number), *rest])
