"""A transformer's middle tokens say which colour the thing they show has.

Velocities tell a transformer what is where only through pixels, most of which are floor. Representations that are asked
for directly are learnt many times sooner (Yu et al. 2024, REPA, arXiv 2410.06940, with another network's features as the
answer); here the simulator's truth is the answer, and at high noise the prompt alone can know it. The reader is left
behind when weights are written.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from worldloom.dit.model import Transformer
from worldloom.worlds.look import COLOURS


class Naming(nn.Module):
    """Reads the tokens that leave the middle block of a transformer in training."""

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.reader = nn.Linear(transformer.config.hidden_size, 1 + len(COLOURS))
        self._seen: list[Tensor] = []
        transformer.blocks[len(transformer.blocks) // 2].register_forward_hook(self._see)

    def forward(self, colours: Int[Tensor, "B f h w"], weight: Float[Tensor, "B f h w"]) -> Tensor:
        """Weighted cross-entropy of the colours under the tokens last seen."""
        answers = self.reader(self._seen.pop().float()).view(*colours.shape, -1)
        surprise = F.cross_entropy(answers.movedim(-1, 1), colours, reduction="none")
        return ((surprise * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))).mean()

    def _see(self, block: nn.Module, inputs: tuple, tokens: Tensor) -> None:
        if torch.is_grad_enabled():
            self._seen = [tokens]
