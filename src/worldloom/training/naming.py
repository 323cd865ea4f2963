"""A transformer's middle tokens say which colour the thing they show has, and how far what they show has moved.

Velocities tell a transformer what is where only through pixels, most of which are floor. Representations that are asked
for directly are learnt many times sooner (Yu et al. 2024, REPA, arXiv 2410.06940, with another network's features as the
answer); here the simulator's truth is the answer, and at high noise the prompt alone can know it. That a model which has
to say how things move moves them better is found by Chefer et al. 2025 (VideoJAM, arXiv 2502.02492). The reader is left
behind when weights are written.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from worldloom.dit.model import Transformer
from worldloom.worlds.look import COLOURS

NEAR_WAY = 0.25
"""Tokens in a latent frame: about as far as a panning camera carries the floor."""


class Naming(nn.Module):
    """Reads the tokens that leave the middle block of a transformer in training."""

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.reader = nn.Linear(transformer.config.hidden_size, 1 + len(COLOURS))
        self.follower = nn.Linear(transformer.config.hidden_size, 2)
        self._seen: list[Tensor] = []
        transformer.blocks[len(transformer.blocks) // 2].register_forward_hook(self._see)

    def forward(
        self,
        colours: Int[Tensor, "B f h w"],
        moved: Float[Tensor, "B f h w 2"],
        weight: Float[Tensor, "B f h w"],
    ) -> tuple[Tensor, Tensor]:
        """Weighted cross-entropy of the colours, and error of the ways moved (tokens), under the tokens last seen.

        The error, in units of `NEAR_WAY`, is half its square up to 1 and grows evenly from there (Huber).
        """
        tokens = self._seen.pop().float()
        answers = self.reader(tokens).view(*colours.shape, -1)
        surprise = F.cross_entropy(answers.movedim(-1, 1), colours, reduction="none")
        ways = self.follower(tokens).view(moved.shape)
        missed = F.smooth_l1_loss(ways, moved / NEAR_WAY, reduction="none").sum(-1)
        shares = weight / weight.sum((1, 2, 3), keepdim=True)
        return (surprise * shares).sum((1, 2, 3)).mean(), (missed * shares).sum((1, 2, 3)).mean()

    def _see(self, block: nn.Module, inputs: tuple, tokens: Tensor) -> None:
        if torch.is_grad_enabled():
            self._seen = [tokens]
