"""Intervals against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest

from blur.metrics.interval import paired_bootstrap
from blur.metrics.kinds.mia import auc
from blur.owner.estimate import Bootstrap, Excess, auc_draws, minus

DRAW = np.random.default_rng(5)
ITEMS = {f"t{number}": float(DRAW.normal()) for number in range(30)}
GROUPS = {item: f"g{number % 10}" for number, item in enumerate(ITEMS)}


def test_a_mean_has_the_interval_of_the_bootstrap_of_metrics() -> None:
    ours = Bootstrap(GROUPS, draws=20_000).mean(ITEMS, "forget")
    mean, low, high = paired_bootstrap(ITEMS, dict.fromkeys(ITEMS, 0.0), GROUPS, draws=20_000, seed=3)
    assert ours.value == pytest.approx(mean)
    assert (ours.low, ours.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    assert ours.n == 10


def test_a_share_is_resampled_as_a_loop_does_it() -> None:
    whole = {item: 2.0 + value / 4 for item, value in ITEMS.items()}
    part, unseen = {item: 0.4 + value / 4 for item, value in ITEMS.items()}, {"u1": 0.1, "u2": 0.3, "u3": -0.1}
    boot = Bootstrap({}, draws=1500)
    ours = Excess(part, unseen).share_of(Excess(whole, unseen), boot)
    draw, found, names, others = np.random.default_rng(1), [], list(ITEMS), list(unseen)
    for _ in range(1500):
        mine = [names[place] for place in draw.integers(len(names), size=len(names))]
        theirs = [others[place] for place in draw.integers(len(others), size=len(others))]
        base = np.mean([unseen[item] for item in theirs])
        found.append((np.mean([part[i] for i in mine]) - base) / (np.mean([whole[i] for i in mine]) - base))
    assert ours.low == pytest.approx(np.quantile(found, 0.025), abs=0.03)
    assert ours.high == pytest.approx(np.quantile(found, 0.975), abs=0.03)


def test_an_auc_is_that_of_the_metric_and_its_draws_are_weighted() -> None:
    boot = Bootstrap(GROUPS, draws=50)
    others = {f"u{number}": float(value) for number, value in enumerate(DRAW.normal(size=12))}
    drawn = auc_draws(boot, ITEMS, others)
    ids = sorted(ITEMS)
    assert drawn[0] == pytest.approx(auc(np.array(list(ITEMS.values())), np.array(list(others.values()))))
    ours, theirs = boot.weights(ITEMS, "members")[1].astype(int), boot.weights(others, "others")[1].astype(int)
    repeated = np.repeat([ITEMS[item] for item in ids], ours)
    against = np.repeat([others[item] for item in sorted(others)], theirs)
    assert drawn[1] == pytest.approx(auc(repeated, against))
    assert np.isnan(auc_draws(boot, {}, others)).all()


def test_groups_are_drawn_whole_and_single_texts_where_there_are_too_few() -> None:
    weights = Bootstrap(GROUPS, draws=5).weights(ITEMS, "forget")
    ids = sorted(ITEMS)
    for label in set(GROUPS.values()):
        columns = [place for place, item in enumerate(ids) if GROUPS[item] == label]
        assert (weights[:, columns] == weights[:, columns[:1]]).all()
    few = Bootstrap(dict.fromkeys(ITEMS, "one"), draws=5)
    assert few.size(ITEMS) == len(ITEMS)


def test_edges() -> None:
    boot = Bootstrap({}, draws=20)
    assert boot.mean({}, "forget") is None
    assert boot.mean({"a": float("nan")}, "forget") is None
    single = boot.mean({"a": 1.0}, "forget")
    assert (single.value, single.low, single.high) == (1.0, None, None)
    equal = boot.mean(dict.fromkeys("abcd", 2.0), "forget")
    assert (equal.low, equal.high) == (2.0, 2.0)
    assert Excess({"a": 1.0}, {}).share_of(Excess({"b": 1.0}, {}), boot) is None
    assert Excess({"a": 1.0, "b": 2.0}, {}).share_of(Excess({"a": -1.0, "b": 0.0}, {}), boot) is None
    assert minus({"a": 3.0, "b": 1.0}, {"a": 1.0}) == {"a": 2.0}
    assert minus({"a": 3.0}, None) == {"a": 3.0}
