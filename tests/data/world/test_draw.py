import random
from collections import Counter

import pytest

from blur.data.world.draw import draw, pick, stream


def test_draws_use_nothing_but_random():
    """``choice`` and ``sample`` may change between Python versions; ``random()`` may not."""

    class OnlyRandom(random.Random):
        def getrandbits(self, k):
            raise AssertionError("depends on getrandbits")

    rng = OnlyRandom(0)
    assert sorted(draw(rng, range(6), 6)) == list(range(6))
    assert pick(rng, "abc") in "abc"
    with pytest.raises(ValueError, match="cannot draw 3 of 2"):
        draw(rng, "ab", 3)


def test_draw_is_uniform():
    rng = stream(0, "test")
    counts = Counter(tuple(draw(rng, "abc", 2)) for _ in range(6000))
    assert len(counts) == 6
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 20.5
