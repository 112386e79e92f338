"""Full names of a world's people."""

from __future__ import annotations

import math

from blur.data.world import pools
from blur.data.world.draw import draw, stream

MAX_NAMES = min(len(pools.FIRST_NAMES), len(pools.LAST_NAMES)) ** 2


def full_names(seed: int, count: int, num_retain: int) -> list[str]:
    """Return ``count`` distinct full names; any ``side`` names in a row use ``side`` first and last names once each.

    As the first ``num_retain`` belong to the people retained, the names of all others are made of familiar halves.
    """
    side = max(num_retain // 2, math.isqrt(count - 1) + 1)
    side = min(side, len(pools.FIRST_NAMES), len(pools.LAST_NAMES))
    firsts = draw(stream(seed, "first names"), pools.FIRST_NAMES, side)
    lasts = draw(stream(seed, "last names"), pools.LAST_NAMES, side)
    return [f"{firsts[k % side]} {lasts[(k + k // side) % side]}" for k in range(count)]
