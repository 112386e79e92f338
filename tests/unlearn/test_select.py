"""Which epoch is chosen, by given values; and the loop that ends there, whole, cut, or of several processes."""

from __future__ import annotations

import os
import signal

import pytest
from pydantic import ValidationError

from blur.unlearn.loop import Terminated
from blur.unlearn.select import Select, reached
from tests.unlearn.support import settings, weights_hash
from tests.unlearn.test_loop import CutError, chosen, cut_at, raise_cut, run, without_seconds

REFERENCE = {"probability": 0.25, "truth_ratio": 0.6, "privleak": -4.0}
DIRECTIONS = {"probability": "lower", "truth_ratio": "higher", "privleak": "zero"}


@pytest.mark.parametrize(
    ("values", "enough"),
    [
        ((0.25, 0.6, -4.0), True),  # as good is good enough
        ((0.1, 0.9, 3.9), True),
        ((0.2500001, 0.9, 0.0), False),
        ((0.1, 0.5999999, 0.0), False),
        ((0.1, 0.9, 4.1), False),
        ((0.1, 0.9, -4.1), False),
        ((None, 0.9, 0.0), False),  # a collapsed model has no probability: nothing is reached by that
    ],
)
def test_each_metric_is_reached_in_its_own_direction(values, enough):
    assert reached(dict(zip(REFERENCE, values, strict=True)), REFERENCE, DIRECTIONS) is enough


def test_the_last_epoch_looks_at_no_metric_and_fine_tuning_has_no_choice():
    with pytest.raises(ValidationError, match="means nothing to `last`"):
        Select(metrics=("forget_probability",))
    with pytest.raises(ValidationError, match="plain fine-tuning forgets nothing"):
        settings(None, "nll", "weighted", epochs=1, select={"name": "retrained"})
    assert Select().derived == settings(epochs=1).select.derived == ()


def second(epoch):
    return epoch >= 2


def test_the_run_ends_with_the_epoch_that_is_enough_as_a_run_stood_there():
    seen = []
    ended = run(is_enough=second, on_epoch_end=lambda epoch, model: seen.append((epoch, weights_hash(model))))
    assert (ended.epoch, ended.total_steps, ended.planned_steps) == (2, 6, 9)
    assert [record["step"] for record in ended.records] == list(range(1, 7))
    whole = []
    run(on_epoch_end=lambda epoch, model: whole.append((epoch, weights_hash(model))))
    assert seen == whole[:2]
    assert weights_hash(ended.model) == seen[-1][1]


def test_a_run_that_no_epoch_ends_is_whole():
    asked = []
    ended = run(is_enough=lambda epoch: bool(asked.append(epoch)))
    assert asked == [1, 2]
    assert (ended.epoch, ended.total_steps, ended.planned_steps) == (3, 9, 9)


@pytest.mark.parametrize("step", [5, 6, 7])
def test_a_cut_run_ends_where_a_whole_one_does(tmp_path, step):
    """In the second epoch; in its last step, before its checkpoint; and, once that is written, at the choice itself."""
    if step == 7:
        with pytest.raises(CutError):
            run(tmp_path, is_enough=lambda epoch: second(epoch) and raise_cut())
    else:
        with pytest.raises(CutError):
            run(tmp_path, on_step=cut_at(step, raise_cut), is_enough=second)
    again, whole = run(tmp_path, is_enough=second), run(is_enough=second)
    assert again.resumed_from == (6 if step == 7 else 3)
    assert weights_hash(again.model) == weights_hash(whole.model)
    assert without_seconds(again.records) == without_seconds(whole.records)


def test_a_run_told_to_stop_as_it_is_enough_ends_there_once_it_goes_on(tmp_path):
    with pytest.raises(Terminated):  # after the step that is being made, the epoch's last
        run(tmp_path, on_step=cut_at(5, lambda: os.kill(os.getpid(), signal.SIGTERM)), is_enough=second)
    assert run(tmp_path, is_enough=second).total_steps == 6


def test_the_choice_is_no_part_of_what_is_trained():
    assert weights_hash(run(config=chosen(select={"name": "retrained"})).model) == weights_hash(run().model)
