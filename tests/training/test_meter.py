import pytest
import torch
from torch import nn

from worldloom.nn.attention import attend
from worldloom.nn.linear import Linear
from worldloom.training.meter import Meter, count_operations, measure_peak


def test_operations_of_a_matrix_product_and_its_gradients():
    layer = nn.Linear(32, 16, bias=False)
    x = torch.randn(8, 32, requires_grad=True)
    assert count_operations(lambda: layer(x)) == 2 * 8 * 32 * 16
    assert count_operations(lambda: layer(x).sum().backward()) == 3 * 2 * 8 * 32 * 16


def test_operations_that_kernels_in_c_do_are_counted_too():
    layer, x = Linear(32, 64), torch.randn(8, 32)
    heads = torch.randn(1, 2, 10, 32).bfloat16().requires_grad_()

    def work():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            layer(x.bfloat16().requires_grad_()).float().sum().backward()
        attend(heads, heads, heads).float().sum().backward()

    assert count_operations(work) == 3 * 2 * 8 * 32 * 64 + 3 * 2 * (2 * 2 * 10 * 10 * 32)


def test_peak_is_a_plausible_rate():
    assert 1e9 < measure_peak(torch.device("cpu"), torch.float32, size=256, seconds=0.05) < 1e15


def test_rates_are_over_what_was_added_since_the_last_reading():
    meter = Meter(peak=1e9)
    assert not meter.knows("a")
    meter.operations["a"] = 100_000_000
    meter.add("a", samples=4, tokens=40, seconds=0.5)
    meter.add("a", samples=4, tokens=40, seconds=0.5)
    rates = meter.read()
    assert rates["speed/steps_per_second"] == pytest.approx(2)
    assert rates["speed/tokens_per_second"] == pytest.approx(80)
    assert rates["speed/mfu"] == pytest.approx(0.2)
    meter.add("a", samples=4, tokens=40, seconds=1.0)
    assert meter.read()["speed/samples_per_second"] == pytest.approx(4)
    unmeasured = Meter(None)
    unmeasured.add("a", samples=1, tokens=1, seconds=1.0)
    assert "speed/mfu" not in unmeasured.read()
