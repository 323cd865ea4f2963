"""Layouts by name: the two published ones, and Worldloom's own small ones."""

from worldloom.vae.autoencoder import AutoencoderConfig

# Statistics of the published weights, from their configuration files.
# fmt: off
WAN21_MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)
WAN21_STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)
WAN22_MEAN = (
    -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557,
    -0.1382, 0.0542, 0.2813, 0.0891, 0.1570, -0.0098, 0.0375, -0.1825,
    -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502,
    -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230,
    -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748,
    0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
)
WAN22_STD = (
    0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013,
    0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165, 0.8454, 0.4978,
    0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659,
    0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093,
    0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887,
    0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
)
# fmt: on


def wan21() -> AutoencoderConfig:
    """Wan 2.1: 4x8x8, 16 channels, plain stages."""
    return AutoencoderConfig(
        base_dim=96,
        decoder_base_dim=None,
        z_dim=16,
        dim_mult=(1, 2, 4, 4),
        num_res_blocks=2,
        temperal_downsample=(False, True, True),
        latents_mean=WAN21_MEAN,
        latents_std=WAN21_STD,
        is_residual=False,
        in_channels=3,
        out_channels=3,
        patch_size=None,
        scale_factor_temporal=4,
        scale_factor_spatial=8,
    )


def wan22() -> AutoencoderConfig:
    """Wan 2.2 TI2V-5B: 4x16x16, 48 channels, 2x2 patches, residual stages."""
    return AutoencoderConfig(
        base_dim=160,
        decoder_base_dim=256,
        z_dim=48,
        dim_mult=(1, 2, 4, 4),
        num_res_blocks=2,
        temperal_downsample=(False, True, True),
        latents_mean=WAN22_MEAN,
        latents_std=WAN22_STD,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_temporal=4,
        scale_factor_spatial=16,
    )


def tiny() -> AutoencoderConfig:
    """Worldloom's own: 4x8x8, 64 channels, the Wan 2.2 layout with three stages."""
    return _small(base_dim=32, z_dim=64)


def debug() -> AutoencoderConfig:
    """The tiny layout at toy width, for tests."""
    return _small(base_dim=8, z_dim=4)


def _small(base_dim: int, z_dim: int) -> AutoencoderConfig:
    return AutoencoderConfig(
        base_dim=base_dim,
        decoder_base_dim=None,
        z_dim=z_dim,
        # The last stage averages channels without folding pixels, so it cannot be wider than the one before.
        dim_mult=(1, 2, 2),
        num_res_blocks=1,
        temperal_downsample=(True, True),
        latents_mean=(0.0,) * z_dim,
        latents_std=(1.0,) * z_dim,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_temporal=4,
        scale_factor_spatial=8,
    )
