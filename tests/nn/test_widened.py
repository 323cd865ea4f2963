"""Slow bf16: products in fp32 on widened weights, which do not stay."""

import pytest
import torch
from torch import nn

from worldloom.dit import presets
from worldloom.dit.model import Transformer
from worldloom.nn import widened


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widened, "cpu_has_fast_bf16", lambda: False)


def test_only_slow_bf16_is_widened(slow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(2, 2)
    assert widened.computes_wide(weight.bfloat16())
    assert not widened.computes_wide(weight) and not widened.computes_wide(weight.half())
    assert not widened.computes_wide(weight.bfloat16().to("meta"))
    monkeypatch.setattr(widened, "cpu_has_fast_bf16", lambda: True)
    assert not widened.computes_wide(weight.bfloat16())


def test_a_call_computes_in_fp32_and_leaves_the_weights() -> None:
    layer = nn.Linear(64, 64).bfloat16()
    x = torch.randn(3, 64).bfloat16()
    exact = layer.float()(x.float())
    layer.bfloat16()
    wide, narrow = widened.call(layer, x, wide=True), widened.call(layer, x, wide=False)
    assert wide.dtype is torch.float32 and torch.allclose(wide, exact, atol=1e-6)
    assert narrow.dtype is torch.bfloat16
    assert layer.weight.dtype is torch.bfloat16


def test_a_transformer_in_bf16_is_nearly_as_precise_as_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = Transformer(presets.debug()).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    model.cast(torch.bfloat16)
    exact = Transformer(model.config).eval()
    exact.load_state_dict({name: tensor.float() for name, tensor in model.state_dict().items()})
    latents = torch.randn(1, model.config.in_channels, 3, 4, 4)
    text = torch.randn(1, 5, model.config.text_size)

    def error(fast: bool) -> float:
        monkeypatch.setattr(widened, "cpu_has_fast_bf16", lambda: fast)
        with torch.inference_mode():
            outputs = [each(latents, torch.tensor([0.5]), each.prepare_text(text)) for each in (model, exact)]
        return float((outputs[0] - outputs[1]).abs().max())

    assert 0 < error(fast=False) < error(fast=True) / 2
