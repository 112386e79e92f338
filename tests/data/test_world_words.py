import random
from collections import Counter

import pytest

from blur.data.world import pools
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


def test_pools_have_no_word_twice_and_no_vowel_after_a():
    for name, pool in vars(pools).items():
        if isinstance(pool, tuple):
            assert len(set(pool)) == len(pool), name
    for pool in (pools.TRADES, pools.TEMPERS, pools.WEATHERS):
        assert not [word for word in pool if word[0] in "aeio"]
