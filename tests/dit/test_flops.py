"""The formula counts what PyTorch's own counter sees."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.dit.reference import SMALL
from worldloom.dit.flops import flops_per_sample
from worldloom.dit.model import Transformer


@pytest.mark.parametrize("size", [(1, 4, 4), (5, 12, 16)])
def test_sampling_and_training(size):
    config = replace(SMALL, text_length=512)
    model = Transformer(config)
    latents, t, words = torch.randn(2, 16, *size), torch.rand(2), torch.randn(2, 6, 32)
    tokens = size[0] * size[1] * size[2] // 4
    # the counter knows nothing of the CPU's fused attention, so attention is taken apart for it; with gradients, so
    # that the activation is not fused into its product either
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        context = model.prepare_text(words)
        prompt = counter.get_total_flops()
        model(latents, t, context)
    forward = counter.get_total_flops()
    assert 2 * flops_per_sample(config, tokens, 6, training=False) == forward - prompt
    assert 2 * flops_per_sample(config, tokens, 6) == 3 * forward
