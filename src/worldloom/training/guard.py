"""Steps whose gradients are broken or wild are left out, counted, and after too many in a row the run stops."""

import math
from dataclasses import dataclass

from worldloom.core.error import Failure


@dataclass(frozen=True)
class GuardConfig:
    """A step is a spike when its gradient norm exceeds `spike_factor` times the running geometric mean."""

    spike_factor: float = 10.0
    warmup_steps: int = 50
    most_in_a_row: int = 20


@dataclass
class Guard:
    """Judges gradient norms; its numbers are part of the checkpoint."""

    config: GuardConfig
    log_norm: float = 0.0
    seen: int = 0
    skipped: int = 0
    in_a_row: int = 0

    def accepts(self, loss: float, norm: float) -> bool:
        """Whether the update may be applied.

        Raises:
            Failure: `most_in_a_row` steps were refused one after another.
        """
        if math.isfinite(loss) and math.isfinite(norm) and not self._is_spike(norm):
            self._take_in(norm)
            return True
        self.skipped += 1
        self.in_a_row += 1
        if self.in_a_row >= self.config.most_in_a_row:
            raise Failure(
                f"{self.in_a_row} steps in a row had a broken or wild gradient (last: loss {loss:.4g}, gradient "
                f"norm {norm:.4g}); lower the learning rate and resume from the last checkpoint"
            )
        return False

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {
            "log_norm": self.log_norm,
            "seen": self.seen,
            "skipped": self.skipped,
            "in_a_row": self.in_a_row,
        }

    def load_state(self, state: dict) -> None:
        """Take a checkpoint's numbers back."""
        self.log_norm = float(state["log_norm"])
        self.seen, self.skipped, self.in_a_row = (int(state[k]) for k in ("seen", "skipped", "in_a_row"))

    def _is_spike(self, norm: float) -> bool:
        known = self.seen >= self.config.warmup_steps
        return known and math.log(norm + 1e-12) > self.log_norm + math.log(self.config.spike_factor)

    def _take_in(self, norm: float) -> None:
        self.seen += 1
        self.in_a_row = 0
        weight = max(0.02, 1 / self.seen)
        self.log_norm += weight * (math.log(norm + 1e-12) - self.log_norm)
