"""The same numbers as diffusers' WanTransformer3DModel, in fp32, from the same random weights."""

from dataclasses import replace

import pytest
import torch

from tests.dit.reference import SMALL, random_pair, relative_difference
from worldloom.dit.context import TextContext

TOLERANCE = 1e-4  # measured: 4e-7


@pytest.fixture(scope="module")
def pair():
    return random_pair(SMALL)


def prompt(lengths: list[int], rows: int = 9, text_size: int = 32):
    """Random words with rubbish after each prompt's end, and the same padded with zeros to the full length."""
    generator = torch.Generator().manual_seed(1)
    embeds = torch.randn(len(lengths), rows, text_size, generator=generator)
    padded = torch.zeros(len(lengths), SMALL.text_length, text_size)
    for sample, length in enumerate(lengths):
        padded[sample, :length] = embeds[sample, :length]
        embeds[sample, length:] = 7.0
    return embeds, torch.tensor(lengths), padded


def noise_levels(kind: str, batch: int, grid: tuple[int, int, int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    if kind == "per sample":
        return torch.rand(batch, generator=generator)
    if kind == "per frame":
        return torch.rand(batch, grid[0], 1, 1, generator=generator).expand(-1, *grid).contiguous()
    if kind == "region":
        return (torch.rand(batch, *grid, generator=generator) > 0.5) * 0.7
    return torch.rand(batch, *grid, generator=generator)


@pytest.mark.parametrize("kind", ["per sample", "per frame", "region", "per token"])
@pytest.mark.parametrize("size", [(1, 2, 2), (3, 6, 10), (5, 14, 2)])
def test_forward(pair, kind, size):
    ours, reference = pair
    latents = torch.randn(2, 16, *size, generator=torch.Generator().manual_seed(3))
    grid = (size[0], size[1] // 2, size[2] // 2)
    t = noise_levels(kind, 2, grid)
    embeds, lengths, padded = prompt([9, 3])
    actual = ours(latents, t, ours.prepare_text(embeds, lengths))
    timestep = 1000 * (t if t.ndim == 1 else t.flatten(1))
    expected = reference(latents, timestep, padded).sample
    assert relative_difference(actual, expected) < TOLERANCE


@pytest.mark.parametrize("length", [0, 1, 20])
def test_text_padding_is_exact_for_every_length(pair, length):
    ours, reference = pair
    latents, t = torch.randn(1, 16, 2, 4, 4), torch.tensor([0.3])
    embeds, lengths, padded = prompt([length], rows=20)
    actual = ours(latents, t, ours.prepare_text(embeds, lengths))
    assert relative_difference(actual, reference(latents, 1000 * t, padded).sample) < TOLERANCE


def test_whole_batch_without_lengths_is_all_words(pair):
    ours, reference = pair
    latents, t = torch.randn(1, 16, 2, 4, 4), torch.tensor([0.3])
    words = torch.randn(1, 20, 32)
    actual = ours(latents, t, ours.prepare_text(words))
    assert relative_difference(actual, reference(latents, 1000 * t, words).sample) < TOLERANCE


def test_picture_branch():
    # diffusers has 512 text rows fixed where a picture comes first
    config = replace(SMALL, in_channels=36, image_size=40, text_length=512)
    ours, reference = random_pair(config)
    latents, t = torch.randn(1, 36, 2, 4, 6), torch.tensor([0.8])
    words, picture = torch.randn(1, 5, 32), torch.randn(1, 7, 40)
    padded = torch.nn.functional.pad(words, (0, 0, 0, 507))
    actual = ours(latents, t, ours.prepare_text(words, image_embeds=picture))
    expected = reference(latents, 1000 * t, padded, encoder_hidden_states_image=picture).sample
    assert relative_difference(actual, expected) < TOLERANCE
    other = ours(latents, t, ours.prepare_text(words, image_embeds=picture.square()))
    assert relative_difference(other, expected) > 1e-3


def test_first_and_last_picture_have_positions():
    config = replace(SMALL, in_channels=36, image_size=40, image_tokens=14, text_length=512)
    ours, reference = random_pair(config)
    latents, t = torch.randn(1, 36, 2, 4, 6), torch.tensor([0.8])
    words, pictures = torch.randn(1, 5, 32), torch.randn(2, 7, 40)
    padded = torch.nn.functional.pad(words, (0, 0, 0, 507))
    actual = ours(latents, t, ours.prepare_text(words, image_embeds=pictures))
    expected = reference(latents, 1000 * t, padded, encoder_hidden_states_image=pictures).sample
    assert relative_difference(actual, expected) < TOLERANCE


def test_gradients():
    ours, reference = random_pair(SMALL)
    latents, t = torch.randn(2, 16, 2, 4, 6), torch.rand(2, 2, 2, 3)
    embeds, lengths, padded = prompt([4, 9])
    ours.requires_grad_(True)
    reference.requires_grad_(True)
    ours(latents, t, ours.prepare_text(embeds, lengths)).square().mean().backward()
    reference(latents, 1000 * t.flatten(1), padded).sample.square().mean().backward()
    expected = dict(reference.named_parameters())
    for name, parameter in ours.named_parameters():
        scale = expected[name].grad.abs().max()
        assert (parameter.grad - expected[name].grad).abs().max() <= TOLERANCE * scale + 1e-6, name


def test_guidance_batch_equals_separate_passes(pair):
    ours, _ = pair
    latents, t = torch.randn(1, 16, 2, 4, 4), torch.rand(1, 2, 2, 2)
    long, short = ours.prepare_text(torch.randn(1, 9, 32)), ours.prepare_text(torch.zeros(1, 0, 32))
    both = ours(latents.expand(2, -1, -1, -1, -1), t.expand(2, -1, -1, -1), TextContext.cat([long, short]))
    apart = torch.cat([ours(latents, t, long), ours(latents, t, short)])
    torch.testing.assert_close(both, apart, rtol=1e-4, atol=1e-4)
    assert relative_difference(both[:1], both[1:]) > 1e-3
