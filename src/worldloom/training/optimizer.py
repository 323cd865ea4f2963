"""AdamW, and Muon for hidden matrices.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) replaces the momentum M = U S V^T of a
weight matrix by an approximation of U V^T. The update is scaled by 0.2 sqrt(max(rows, columns)) (Liu et al.
2025, arXiv 2502.16982), which gives it the RMS of a typical AdamW update, so that learning rates of the two are
of one order. A convolution kernel [out, in, f, h, w] counts as the matrix [out, in f h w]. Embeddings, biases,
norms, tables and the first and last layers stay with AdamW.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from worldloom.core.device import resolve_dtype
from worldloom.training.parallel import Parallel

# Quintic coefficients of the Newton-Schulz iteration in Jordan's post: fast rather than exact convergence,
# singular values end in about [0.7, 1.2].
QUINTIC = (3.4445, -4.7750, 2.0315)
SMALLEST_MATRIX = 16
# Columns over rows above which iterating on the square side is less work, for five steps.
BREAK_EVEN = 1.5
# Rows up to which fp32 is as quick as bf16: 64 x 1,728 takes 0.5 ms against 1.0, 384 x 384 11.4 ms against 2.6.
FEW_ROWS = 128


@dataclass(frozen=True)
class OptimizerConfig:
    """`learning_rate` is AdamW's, `matrix_rate` Muon's; `kind="adamw"` uses AdamW at `learning_rate` for all.

    Parameters whose name has a fragment in `paced` learn at `pace` times their rate.
    """

    kind: Literal["muon", "adamw"] = "muon"
    learning_rate: float = 1e-3
    matrix_rate: float = 1.5e-3
    betas: tuple[float, float] = (0.9, 0.99)
    momentum: float = 0.95
    weight_decay: float = 0.0
    newton_schulz_steps: int = 5
    clip_norm: float = 1.0
    paced: tuple[str, ...] = ()
    pace: float = 0.1


class Optimizer:
    """Both rules over the trainable parameters of a module, with state that saves to a flat tensor dictionary.

    Args:
        named_parameters: trainable parameters by name.
        plain: name fragments of the layers that must stay with AdamW (embeddings, first and last layer).
        parallel: ranks that take the same steps share Muon's arithmetic out among them.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        config: OptimizerConfig,
        plain: Iterable[str],
        parallel: Parallel | None = None,
    ) -> None:
        self.config, self.parallel = config, parallel
        named = {name: p for name, p in named_parameters if p.requires_grad}
        plain = tuple(plain)
        self.matrices = {
            name: p
            for name, p in named.items()
            if config.kind == "muon" and _is_matrix(p) and not any(part in name for part in plain)
        }
        self.others = {name: p for name, p in named.items() if name not in self.matrices}
        self.momentum = {name: torch.zeros_like(p) for name, p in self.matrices.items()}
        self.first = {name: torch.zeros_like(p) for name, p in self.others.items()}
        self.second = {name: torch.zeros_like(p) for name, p in self.others.items()}
        self.factors = {
            name: config.pace if any(part in name for part in config.paced) else 1.0 for name in named
        }
        self.updates = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Apply one update; `rate` in [0, 1] multiplies both learning rates."""
        self.updates += 1
        for factor in sorted({self.factors[name] for name in self.others}):
            alike = [name for name in self.others if self.factors[name] == factor]
            self._step_adamw(alike, rate * factor * self.config.learning_rate)
        if self.matrices:
            self._step_muon(rate * self.config.matrix_rate)

    def state_tensors(self) -> dict[str, Tensor]:
        """Every state tensor under a unique name (the count of updates is the trainer's to keep)."""
        groups = {"momentum": self.momentum, "first": self.first, "second": self.second}
        return {f"{group}/{name}": t for group, tensors in groups.items() for name, t in tensors.items()}

    @torch.no_grad()
    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Copy what `state_tensors` returned back in."""
        for name, own in self.state_tensors().items():
            own.copy_(tensors[name])

    def _step_adamw(self, names: list[str], rate: float) -> None:
        parameters: list[Tensor] = [self.others[name] for name in names]
        gradients = [_gradient(self.others[name]) for name in names]
        first, second = [self.first[name] for name in names], [self.second[name] for name in names]
        beta1, beta2 = self.config.betas
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        scale = torch._foreach_div(second, 1 - beta2**self.updates)
        torch._foreach_sqrt_(scale)
        torch._foreach_add_(scale, 1e-8)
        if self.config.weight_decay:
            decayed = [p for p in parameters if p.ndim >= 2]
            torch._foreach_mul_(decayed, 1 - rate * self.config.weight_decay)
        torch._foreach_addcdiv_(parameters, first, scale, -rate / (1 - beta1**self.updates))

    def _step_muon(self, rate: float) -> None:
        updates = []
        for number, (name, p) in enumerate(self.matrices.items()):
            gradient, momentum = _gradient(p), self.momentum[name]
            momentum.lerp_(gradient, 1 - self.config.momentum)
            if self.parallel is None or number % self.parallel.world == self.parallel.rank:
                nesterov = gradient.lerp(momentum, self.config.momentum)
                steps = self.config.newton_schulz_steps
                updates.append(orthogonalize(nesterov.flatten(1), steps).view_as(p))
            else:
                updates.append(torch.zeros_like(p, dtype=_arithmetic(p.flatten(1))))
        if self.parallel is not None:
            updates = self.parallel.sum_tensors(updates)
        for (name, p), update in zip(self.matrices.items(), updates, strict=True):
            own = rate * self.factors[name]
            if self.config.weight_decay:
                p.mul_(1 - own * self.config.weight_decay)
            p.add_(update, alpha=-own * 0.2 * max(len(p), p[0].numel()) ** 0.5)


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """Approximately U V^T of a matrix U S V^T, shape [rows, columns], by `steps` >= 1 Newton-Schulz iterations.

    X_{k+1} = (a + b A_k + c A_k^2) X_k with A_k = X_k X_k^T: a polynomial in A_k times X_k. Computed in bf16 where
    that is the device's fast format, as Jordan does, and in fp32 elsewhere; so is what comes back.
    """
    dtype = _arithmetic(matrix)
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide.float()
    wide = (wide / (wide.norm() + 1e-7)).to(dtype)
    # On the small side alone, rounding errors of all polynomials multiply, which takes fp32.
    small = dtype == torch.float32 and wide.shape[1] > BREAK_EVEN * wide.shape[0]
    update = (_iterate_small if small else _iterate_whole)(wide, steps)
    return update if matrix.shape[0] <= matrix.shape[1] else update.T


def _arithmetic(matrix: Tensor) -> torch.dtype:
    """In which a matrix is made orthogonal."""
    return resolve_dtype(matrix.device) if min(matrix.shape) > FEW_ROWS else torch.float32


def _iterate_whole(x: Tensor, steps: int) -> Tensor:
    """The iteration as written: 2 r + 1 products per step, in units of rows^3, for r = columns / rows."""
    for _ in range(steps):
        x = _polynomial(x @ x.T) @ x
    return x


def _iterate_small(x: Tensor, steps: int) -> Tensor:
    """The same on the small square side alone, 17 + 2 r products for five steps.

    All P_k = a + b A_k + c A_k^2 are polynomials in A_0 and commute, so A_{k+1} = P_k A_k P_k, and the product of
    all P_k is applied to X once.
    """
    gram = x @ x.T
    product = polynomial = _polynomial(gram)
    for _ in range(steps - 1):
        gram = polynomial @ gram @ polynomial
        polynomial = _polynomial(gram)
        product = polynomial @ product
    return product @ x


def _polynomial(gram: Tensor) -> Tensor:
    a, b, c = QUINTIC
    polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    polynomial.diagonal().add_(a)
    return polynomial


@torch.no_grad()
def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """Euclidean norm over all gradients; NaN or infinity in any gradient shows here."""
    norms = torch._foreach_norm([_gradient(p) for p in parameters])
    return float(torch.stack(norms).norm())


@torch.no_grad()
def scale_gradients(parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Multiply all gradients in place."""
    torch._foreach_mul_([_gradient(p) for p in parameters], factor)


def _is_matrix(p: nn.Parameter) -> bool:
    return p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= SMALLEST_MATRIX


def _gradient(p: nn.Parameter) -> Tensor:
    # A parameter outside this step's graph (a caption branch, say) counts as having a zero gradient.
    if p.grad is None:
        p.grad = torch.zeros_like(p)
    return p.grad
