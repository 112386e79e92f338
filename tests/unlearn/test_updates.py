"""Planned updates are real updates: epochs x ceil(n / batch), batch being global, whatever the accumulation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from blur.core.errors import BlurError
from blur.unlearn.loop import train
from blur.unlearn.step import Updater
from tests.unlearn.support import settings, streams, tiny_model


@pytest.mark.parametrize(
    ("number", "batch", "accumulation", "groups"),
    [
        (7, 3, 1, [[3], [3], [1]]),
        (7, 3, 2, [[1, 2], [1, 2], [1]]),
        (6, 3, 3, [[1, 1, 1], [1, 1, 1]]),
        (2, 5, 4, [[1, 1]]),
    ],
)
def test_as_many_updates_are_made_as_planned_each_of_its_whole_group(
    number: int, batch: int, accumulation: int, groups: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[int]] = [[]]
    micro_batch, apply = Updater._micro_batch, Updater._apply

    def seen(self: Updater, examples: Any, *args: Any) -> Any:
        made[-1].append(len(examples))
        return micro_batch(self, examples, *args)

    def stepped(self: Updater, *args: Any) -> None:
        made.append([])
        apply(self, *args)

    monkeypatch.setattr(Updater, "_micro_batch", seen)
    monkeypatch.setattr(Updater, "_apply", stepped)
    chosen = settings("ga", None, "weighted", epochs=3, batch_size=batch, accumulation=accumulation)
    result = train(tiny_model(0), {"forget": streams(number)["forget"]}, chosen)
    assert made[:-1] == 3 * groups
    assert result.planned_steps == result.total_steps == len(result.records) == 3 * math.ceil(number / batch)


def test_an_update_that_the_optimizer_does_not_make_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a scaler that finds an overflow leaves a step out, in silence."""
    apply = Updater._apply

    def skipping(self: Updater, *args: Any) -> None:
        if self.num_updates != 1:
            apply(self, *args)

    monkeypatch.setattr(Updater, "_apply", skipping)
    with pytest.raises(BlurError, match="6 updates planned, 6 made, 1 steps of the optimizer, 6 in the log"):
        train(tiny_model(0), streams(), settings("ga", "nll", "weighted", epochs=2))
