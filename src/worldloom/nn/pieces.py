"""Rows cut into pieces small enough that several passes over one of them stay inside a core's second-level cache."""

from __future__ import annotations

from torch import Tensor

# Values worked on at once, 512 kB in fp32. On a clip of 17 x 64 x 64 x 32, five passes over a piece are 2.4 times as
# fast as five passes over memory.
VALUES = 131_072


def pieces(rows: Tensor) -> list[tuple[int, slice]]:
    """Indices that cut [B, N, C] into pieces of about `VALUES` values that lie in one stretch of memory.

    Elsewhere than on a CPU every one of the B rows is a piece.
    """
    batch, count, channels = rows.shape
    step = max(VALUES // channels, 1) if rows.device.type == "cpu" else count
    return [(b, slice(i, i + step)) for b in range(batch) for i in range(0, count, step)]
