from blur.data.world import pools


def test_pools_have_no_word_twice_and_no_vowel_after_a():
    for name, pool in vars(pools).items():
        if isinstance(pool, tuple):
            assert len(set(pool)) == len(pool), name
    for pool in (pools.TRADES, pools.TEMPERS, pools.WEATHERS):
        assert not [word for word in pool if word[0] in "aeio"]
