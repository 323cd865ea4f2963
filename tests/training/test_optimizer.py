import pytest
import torch
from torch import nn

from worldloom.training.optimizer import (
    Optimizer,
    OptimizerConfig,
    gradient_norm,
    orthogonalize,
    scale_gradients,
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_in = nn.Conv3d(16, 32, 3)
        self.conv = nn.Conv3d(32, 32, 3)
        self.linear = nn.Linear(32, 64)
        self.table = nn.Parameter(torch.zeros(1, 6, 64))
        self.norm = nn.LayerNorm(64)


@pytest.mark.parametrize("shape", [(24, 24), (16, 200), (200, 16), (32, 32 * 27)])
def test_orthogonalize_brings_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    ours = orthogonalize(matrix)
    values = torch.linalg.svdvals(ours)
    large = s > 0.05 * s.max()  # five iterations lift only values that are not tiny
    assert values[large].min() > 0.6 and values.max() < 1.3
    assert torch.nn.functional.cosine_similarity(ours.flatten(), (u @ v).flatten(), dim=0) > 0.9


@pytest.mark.parametrize("columns", [20, 100])
def test_orthogonalize_equals_the_plain_iteration(columns):
    matrix = torch.randn(16, columns, generator=torch.Generator().manual_seed(1))
    x = matrix / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    torch.testing.assert_close(orthogonalize(matrix), x, atol=2e-4, rtol=1e-3)


def test_hidden_matrices_go_to_muon_and_the_rest_to_adamw():
    net = Net()
    optimizer = Optimizer(net.named_parameters(), OptimizerConfig(), ("conv_in",))
    assert set(optimizer.matrices) == {"conv.weight", "linear.weight"}
    assert set(optimizer.others) == {n for n, _ in net.named_parameters()} - set(optimizer.matrices)
    assert not Optimizer(net.named_parameters(), OptimizerConfig(kind="adamw"), ()).matrices


def test_adamw_equals_torch():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    config = OptimizerConfig(kind="adamw", learning_rate=1e-2, betas=(0.9, 0.99))
    optimizer = Optimizer(ours.named_parameters(), config, ())
    reference = torch.optim.AdamW(theirs.parameters(), lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(5):
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(step))
        for module in (ours, theirs):
            module.zero_grad()
            module(x).square().sum().backward()
        optimizer.step(1.0)
        reference.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_both_fit_a_linear_map(kind):
    torch.manual_seed(0)
    truth, net = nn.Linear(32, 24), nn.Linear(32, 24)
    config = OptimizerConfig(kind=kind, learning_rate=2e-2, matrix_rate=2e-2)
    optimizer = Optimizer(net.named_parameters(), config, ())
    losses = []
    for step in range(150):
        x = torch.randn(64, 32, generator=torch.Generator().manual_seed(step))
        loss = (net(x) - truth(x).detach()).square().mean()
        net.zero_grad()
        loss.backward()
        optimizer.step(1 - step / 150)
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]


def test_state_saved_and_loaded_goes_on_alike():
    def steps(net, optimizer, first, last):
        for step in range(first, last):
            x = torch.randn(4, 16, generator=torch.Generator().manual_seed(step))
            net.zero_grad()
            net(x).square().mean().backward()
            optimizer.step(1.0)

    torch.manual_seed(0)
    whole = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    broken = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    broken.load_state_dict(whole.state_dict())
    a = Optimizer(whole.named_parameters(), OptimizerConfig(), ())
    steps(whole, a, 0, 6)
    b = Optimizer(broken.named_parameters(), OptimizerConfig(), ())
    steps(broken, b, 0, 3)
    state = {name: t.clone() for name, t in b.state_tensors().items()}
    c = Optimizer(broken.named_parameters(), OptimizerConfig(), ())
    c.load_state_tensors(state)
    c.updates = b.updates
    steps(broken, c, 3, 6)
    assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), broken.parameters(), strict=True))


def test_gradient_norm_and_scaling():
    net = nn.Linear(3, 2)
    net.weight.grad = torch.full((2, 3), 2.0)
    assert gradient_norm(net.parameters()) == pytest.approx(
        24**0.5
    )  # the bias has none, which counts as zero
    scale_gradients(net.parameters(), 0.5)
    assert gradient_norm(net.parameters()) == pytest.approx(6**0.5)
    net.weight.grad[0, 0] = float("nan")
    assert not gradient_norm(net.parameters()) < 1e9


@pytest.mark.parametrize("pace", [0.1, 10.0])
def test_paced_parameters_learn_at_their_own_rate(pace):
    net = Net()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    config = OptimizerConfig(learning_rate=1e-3, matrix_rate=1e-3, paced=("norm", "linear"), pace=pace)
    Optimizer(net.named_parameters(), config, ()).step(1.0)
    moved = {name: (p.detach() - before[name]).norm().item() for name, p in net.named_parameters()}
    # AdamW's first step moves every number by the rate
    assert moved["norm.weight"] == pytest.approx(pace * 1e-3 * 64**0.5, rel=1e-3)
    assert moved["table"] == pytest.approx(1e-3 * (6 * 64) ** 0.5, rel=1e-3)
    unpaced = Net()
    unpaced.load_state_dict(before)
    for p in unpaced.parameters():
        p.grad = torch.ones_like(p)
    Optimizer(unpaced.named_parameters(), OptimizerConfig(matrix_rate=1e-3), ()).step(1.0)
    alone = (unpaced.linear.weight.detach() - before["linear.weight"]).norm().item()
    assert moved["linear.weight"] == pytest.approx(pace * alone, rel=1e-3)
