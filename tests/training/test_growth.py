"""Wider and deeper models begin by saying what the one they grew from says."""

from dataclasses import replace

import pytest
import torch

from worldloom.core.error import UsageError
from worldloom.dit import presets as transformers
from worldloom.dit.model import Transformer
from worldloom.training.growth import deepened, grown
from worldloom.vae import presets
from worldloom.vae.autoencoder import Autoencoder, AutoencoderConfig

NARROW = presets.debug()
Z = NARROW.z_dim


def with_latents(config: AutoencoderConfig, z_dim: int, **more: object) -> AutoencoderConfig:
    return replace(config, z_dim=z_dim, latents_mean=(0.0,) * z_dim, latents_std=(1.0,) * z_dim, **more)


def with_stage(config: AutoencoderConfig) -> AutoencoderConfig:
    return replace(
        config,
        dim_mult=(*config.dim_mult, config.dim_mult[-1]),
        temperal_downsample=(*config.temperal_downsample, False),
        scale_factor_spatial=2 * config.scale_factor_spatial,
    )


@pytest.fixture
def model() -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder(NARROW)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("gamma", "bias")):
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture
def video() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, 9, 32, 32) * 2 - 1


@torch.no_grad()
def test_new_latents_vary_and_are_not_looked_at(model, video):
    wide = grown(model, with_latents(NARROW, 7))
    mean, logvar = wide.posterior(video)
    own = model.posterior(video)[0]
    assert mean.shape[1] == logvar.shape[1] == 7
    assert torch.allclose(mean[:, :Z], own, atol=1e-5)
    assert mean[:, Z:].std() > 1e-3
    assert torch.allclose(wide.reconstruct(mean), model.reconstruct(own), atol=1e-5)
    mean[:, Z:] = 9.0
    assert torch.allclose(wide.reconstruct(mean), model.reconstruct(own), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("decoder_base_dim", [16, 32])
def test_a_wider_decoder_draws_the_same(model, video, decoder_base_dim):
    wide = grown(model, replace(NARROW, decoder_base_dim=decoder_base_dim))
    latents = model.posterior(video)[0]
    assert wide.decoder.conv_in.weight.shape[0] > model.decoder.conv_in.weight.shape[0]
    assert torch.equal(wide.posterior(video)[0], latents)
    assert torch.allclose(wide.reconstruct(latents), model.reconstruct(latents), atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("times", [2, 4])
def test_an_evenly_wider_encoder_says_the_same(model, video, times):
    wide = grown(model, replace(NARROW, base_dim=times * NARROW.base_dim, decoder_base_dim=NARROW.base_dim))
    assert wide.encoder.conv_out.weight.shape[1] == times * model.encoder.conv_out.weight.shape[1]
    for own, other in zip(model.posterior(video), wide.posterior(video), strict=True):
        assert torch.allclose(other, own, atol=1e-4)


@torch.no_grad()
def test_an_unevenly_wider_encoder_stays_close(model, video):
    config = with_latents(NARROW, 6, dim_mult=(1, 4, 4))
    own, other = model.posterior(video)[0], grown(model, config).posterior(video)[0]
    assert (other[:, :Z] - own).std() < 0.3 * own.std()


def test_new_blocks_add_nothing_and_learn(model, video):
    deep = grown(model, replace(NARROW, num_res_blocks=2)).requires_grad_(True)
    latents = model.posterior(video)[0]
    assert torch.equal(deep.posterior(video)[0], latents)
    drawn = deep.reconstruct(latents)
    assert torch.equal(drawn, model.reconstruct(latents))
    drawn.square().mean().backward()
    for stage in deep.decoder.up_blocks:
        gradient = stage.get_parameter("resnets.2.conv2.weight").grad
        assert gradient is not None and gradient.norm() > 0


def test_copies_are_told_apart_by_their_gradients(model, video):
    wide = grown(model, replace(NARROW, base_dim=2 * NARROW.base_dim)).requires_grad_(True)
    wide.reconstruct(wide.posterior(video)[0]).square().mean().backward()
    gradient = wide.get_parameter("decoder.mid_block.resnets.0.conv1.weight").grad
    assert gradient is not None
    first, second = gradient.chunk(2)
    assert (first - second).norm() > 0.01 * first.norm()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (with_latents(NARROW, Z - 1), f"{Z} latent channels cannot grow to {Z - 1}"),
        (replace(NARROW, num_res_blocks=0), "with 1 blocks cannot grow to stages .* with 0"),
        (with_stage(NARROW), "stages .1, 2, 2. with 1 blocks cannot grow to stages .1, 2, 2, 2."),
        (replace(NARROW, base_dim=12), "has 8 channels, which cannot be divided into 12"),
    ],
)
def test_a_layout_that_cannot_be_grown_into_is_refused(model, config, message):
    with pytest.raises(UsageError, match=message):
        grown(model, config)


@pytest.mark.parametrize("depth", (3, 4, 7))
def test_a_deeper_transformer_predicts_the_same_and_learns_everywhere(depth: int) -> None:
    torch.manual_seed(0)
    model = Transformer(transformers.debug())
    config = model.config
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    latents = torch.randn(1, config.in_channels, 2, 4, 4)
    words = torch.randn(1, 3, config.text_size)

    def predicted(net: Transformer) -> torch.Tensor:
        return net(latents, torch.tensor([0.5]), net.prepare_text(words))

    other = deepened(model, depth)
    assert other.config == replace(config, depth=depth)
    torch.testing.assert_close(predicted(other), predicted(model))
    predicted(other).square().mean().backward()
    ends = [
        p.grad for name, p in other.named_parameters() if name.endswith(("to_out.0.weight", "net.2.weight"))
    ]
    assert all(grad is not None and grad.abs().max() > 0 for grad in ends)
    with pytest.raises(UsageError, match="cannot grow"):
        deepened(other, config.depth - 1)
