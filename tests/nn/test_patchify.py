import pytest
import torch
import torch.nn.functional as F

from worldloom.nn.patchify import PatchEmbedding, grid_of, patchify, unpatchify

CASES = [((1, 2, 2), (3, 4, 6)), ((1, 1, 1), (2, 3, 5)), ((2, 3, 1), (4, 6, 2))]


@pytest.mark.parametrize(("patch_size", "size"), CASES)
def test_embedding_is_the_convolution_that_it_stands_for(patch_size, size):
    latents, embed = torch.randn(2, 5, *size), PatchEmbedding(5, 7, patch_size)
    expected = F.conv3d(latents, embed.weight, embed.bias, stride=patch_size).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(latents), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("patch_size", "size"), CASES)
def test_round_trip(patch_size, size):
    latents = torch.randn(2, 5, *size)
    patches = patchify(latents, patch_size).unflatten(-1, (5, -1)).transpose(-1, -2).flatten(-2)
    assert torch.equal(unpatchify(patches, grid_of(latents, patch_size), patch_size), latents)


def test_size_that_no_patch_divides():
    with pytest.raises(ValueError, match=r"\(1, 3, 4\).*\(1, 2, 2\)"):
        patchify(torch.zeros(1, 2, 1, 3, 4), (1, 2, 2))
