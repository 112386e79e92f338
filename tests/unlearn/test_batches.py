"""Plans, splits and padding."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from blur.core.errors import DataError
from blur.core.hashing import derive_seed
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.unlearn.batches import Plan, check_streams, split


def plan(batch_size=4, seed=0, **sizes):
    return Plan(sizes or {"forget": 10, "retain": 23}, "forget", batch_size, seed, 12)


def test_an_epoch_is_one_pass_over_the_forget_stream():
    for epoch in range(3):
        seen = [i for step in range(3 * epoch, 3 * epoch + 3) for i in plan().indices("forget", step)]
        assert sorted(seen) == list(range(10))
    assert [plan().epoch(step) for step in range(7)] == [1, 1, 1, 2, 2, 2, 3]
    assert [plan().ends_epoch(step) for step in range(4)] == [False, False, True, False]
    assert plan().ends_epoch(11)
    assert Plan({"forget": 10}, "forget", 4, 0, 2).ends_epoch(1), "a run that stops within an epoch"


def test_retain_texts_come_without_replacement_within_a_pass():
    draws = [i for step in range(12) for i in plan().indices("retain", step)]
    assert len(draws) == 40
    assert sorted(draws[:23]) == list(range(23))
    assert max(Counter(draws).values()) == 2
    lengths = [(len(plan().indices("forget", s)), len(plan().indices("retain", s))) for s in range(3)]
    assert lengths == [(4, 4), (4, 4), (2, 2)]


def test_order_depends_on_seed_stream_and_pass_and_on_nothing_else():
    first = [plan().indices("forget", step) for step in range(6)]
    assert first == [plan().indices("forget", step) for step in reversed(range(6))][::-1]
    assert first[:3] != first[3:]
    assert first != [plan(seed=1).indices("forget", step) for step in range(6)]
    equal = plan(forget=10, retain=10)
    assert [equal.indices("forget", s) for s in range(3)] != [equal.indices("retain", s) for s in range(3)]
    assert derive_seed("a", 1) != derive_seed("a", 2)
    assert 0 <= derive_seed("a") < 2**63


def test_known_order_does_not_drift():
    """A change here changes every result: raise the numerics epoch with it."""
    assert plan().indices("forget", 0) == [5, 0, 1, 6]


@pytest.mark.parametrize(("size", "parts"), [(5, 2), (4, 8), (0, 3), (7, 7), (9, 1)])
def test_split_covers_everything_once_in_order(size, parts):
    runs = split(list(range(size)), parts)
    assert len(runs) == parts
    assert [i for run in runs for i in run] == list(range(size))
    assert max(map(len, runs)) - min(map(len, runs)) <= 1


def test_collate_pads_on_the_right_and_scores_answers_only():
    batch = collate([Example("a", [5, 6, 7], 1), Example("b", [8, 9, 10, 11], 0)])
    assert batch.input_ids.tolist() == [[5, 6, 7, 0], [8, 9, 10, 11]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch.labels.tolist() == [[-100, 6, 7, -100], [8, 9, 10, 11]]
    assert batch.positions("scored").tolist() == [[True, True, False, False], [True, True, True, False]]
    assert batch.positions("attended").sum() == 7
    assert torch.equal(batch.positions("scored").sum(1), torch.tensor([2, 3]))


@pytest.mark.parametrize("num_prompt", [0, 1, 2, 3, 4])
def test_counts_are_those_of_the_batch(num_prompt):
    example = Example("a", [1, 2, 3, 4], num_prompt)
    batch = collate([example])
    assert count(example, "token") == batch.positions("scored").sum() == min(3, 4 - num_prompt)
    assert count(example, "position") == 4
    assert count(example, "sequence") == 1


def test_unusable_streams_are_named():
    good = [Example("a", [1, 2], 0)]
    check_streams({"forget": good, "other": []}, ["forget"])
    with pytest.raises(DataError, match="stream 'forget': no examples"):
        check_streams({"forget": []}, ["forget"])
    with pytest.raises(DataError, match="stream 'retain': no examples"):
        check_streams({"forget": good}, ["forget", "retain"])
    with pytest.raises(DataError, match="'a': the id occurs twice"):
        check_streams({"forget": good * 2}, ["forget"])
    for empty in (Example("b", [1], 0), Example("b", [1, 2], 2)):
        with pytest.raises(DataError, match="'b': no token to score"):
            check_streams({"forget": [empty]}, ["forget"])
