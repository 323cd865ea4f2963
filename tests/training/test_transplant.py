"""A transformer put on other latents does there what it did on its own."""

from dataclasses import replace

import pytest
import torch

from tests.training.test_growth import with_latents
from worldloom.dit import presets
from worldloom.dit.model import Transformer
from worldloom.training.growth import grown
from worldloom.training.latent_basis import change_basis
from worldloom.training.transplant import linear_map, transplanted
from worldloom.vae.autoencoder import Autoencoder
from worldloom.vae.presets import debug


@pytest.fixture
def old() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(debug())


@pytest.fixture
def transformer() -> Transformer:
    torch.manual_seed(1)
    model = Transformer(replace(presets.debug(), in_channels=4, out_channels=4))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return model.requires_grad_(False)


def test_a_linear_map_is_found():
    matrix, source = torch.randn(5, 3), torch.randn(3, 400)
    assert torch.allclose(linear_map(source, matrix @ source), matrix, atol=0.05)


@torch.no_grad()
def test_in_a_rotated_basis_the_velocity_is_the_rotated_one(old, transformer):
    torch.manual_seed(2)
    videos = [torch.rand(1, 3, 9, 32, 32) * 2 - 1 for _ in range(6)]
    rotation = torch.linalg.qr(torch.randn(4, 4))[0]
    new = grown(old, with_latents(old.config, 4))
    change_basis(new, rotation, torch.zeros(4))
    moved = transplanted(transformer, old, new, videos)
    latents, t = torch.randn(1, 4, 2, 4, 4), torch.tensor([0.7])
    prompt = torch.randn(1, 5, transformer.config.text_size)
    expected = torch.einsum(
        "ec,bcfhw->befhw", rotation, transformer(latents, t, transformer.prepare_text(prompt))
    )
    turned = torch.einsum("ec,bcfhw->befhw", rotation, latents)
    got = moved(turned, t, moved.prepare_text(prompt))
    assert (got - expected).norm() < 0.15 * expected.norm()


@torch.no_grad()
def test_more_channels_get_weights_of_their_own(old, transformer):
    torch.manual_seed(3)
    videos = [torch.rand(1, 3, 5, 32, 32) * 2 - 1 for _ in range(6)]
    moved = transplanted(transformer, old, grown(old, with_latents(old.config, 7)), videos)
    assert moved.config.in_channels == moved.config.out_channels == 7
    assert torch.linalg.matrix_rank(moved.patch_embedding.weight[:, :, 0, 0, 0], rtol=1e-3) == 7
    assert torch.equal(moved.blocks[0].attn1.to_q.weight, transformer.blocks[0].attn1.to_q.weight)
