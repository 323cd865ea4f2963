import pytest
import torch
from torch import nn

from worldloom.training.ema import Ema


def test_average_follows_the_formula():
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 0.0)
    ema = Ema(net, decay=0.5)
    expected = 0.0
    for n in range(1, 30):
        nn.init.constant_(net.weight, float(n))
        ema.update(n)
        d = min(0.5, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * n
    assert ema.average["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_applied_swaps_for_the_block_only():
    net = nn.Linear(4, 4)
    ema = Ema(net, decay=0.9)
    before = net.weight.detach().clone()
    with torch.no_grad():
        net.weight.add_(1.0)
    with ema.applied():
        assert torch.equal(net.weight, before)
    assert torch.equal(net.weight, before + 1.0)
    assert torch.equal(ema.average["weight"], before)
    with pytest.raises(RuntimeError), ema.applied():
        raise RuntimeError("inside")
    assert torch.equal(net.weight, before + 1.0)
