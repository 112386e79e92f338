"""AltPO's alternates: the model's own answers, unlike the true one, and how a run comes by them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import Run
from blur.core.errors import DataError
from blur.derived.sampled_answers import Derived, sample
from blur.measure import generate as generation
from blur.measure.generate import Generation
from blur.models.encode import Example
from blur.unlearn.alternates.sampled import Alternates
from tests.planner.test_methods import ROOT

WORDS = ["", "who", "ann", "bob", "eve", "is", "here"]
TRUE = Example("q1", [1, 2, 5, 6], 1)


def sampled(monkeypatch: pytest.MonkeyPatch, answers: dict[tuple[float, int], list[int]], **changes: Any) -> Any:
    """Draw with a model that says ``answers`` by temperature and seed, and the true one else."""

    def generate(model: Any, prompts: Any, *_: Any, sampling: Any) -> list[Generation]:
        assert prompts == [[1]]
        return [Generation(answers.get((sampling.temperature, sampling.seed), [2, 5, 6]), True)]

    monkeypatch.setattr(generation, "generate", generate)
    monkeypatch.setattr("blur.models.turn.end_token", lambda *_: 0)
    tokenizer = SimpleNamespace(decode=lambda tokens, **_: " ".join(WORDS[token] for token in tokens))
    loaded: Any = SimpleNamespace(model=None, tokenizer=tokenizer, template=None)
    return sample(loaded, [TRUE], Derived(**{"number": 2, "temperatures": (1.0, 2.0), **changes}))


def test_what_says_the_truth_or_nothing_or_the_same_again_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = sampled(monkeypatch, {(1.0, 0): [], (1.0, 1): [3, 4], (2.0, 2): [3, 4], (2.0, 3): [4, 5]})
    assert made == {"answers": {"q1": ["bob eve", "eve is"]}, "drawn": 4, "dropped": 2}
    alike = sampled(monkeypatch, {(1.0, 0): [3, 5, 6], (1.0, 1): [3, 4, 6]}, alike=0.5)
    assert alike["answers"]["q1"] == ["bob eve here"], "two of three words of the truth are too many"


def test_no_more_is_drawn_than_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    made = sampled(monkeypatch, {(1.0, 0): [3]}, number=1)
    assert made == {"answers": {"q1": ["bob"]}, "drawn": 1, "dropped": 0}


def test_a_model_that_says_nothing_else_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"1 questions have no answer but the true one, 'q1' first.*temperatures"):
        sampled(monkeypatch, {})


def test_alternates_are_those_of_the_record_once_they_are_made() -> None:
    source = Alternates()
    assert source.given({"7": ["Bob."]}).of({"id": 7}) == ["Bob."]
    assert source.model_dump() == source.given({"7": ["Bob."]}).model_dump() == {"name": "sampled"}


def test_the_answers_are_made_before_their_sums_and_both_before_the_run() -> None:
    plan, run = Plan(ROOT / "config", {"scale": "study"}), Run("tofu", "altpo")
    made = plan.derived(run)
    assert set(made) == {"sampled_answers", "reference_sums"}
    sums = made["reference_sums"]
    assert sums.request == "own@sampled"
    assert plan.asked(sums) == {"sampled_answers": made["sampled_answers"]}
    assert {"sampled_answers", "reference_sums"} <= set(
        STAGES["unlearn"].inputs(plan, STAGES["unlearn"].job("tofu", method="altpo"))
    )
    assert "sampled_answers" in STAGES["derive"].inputs(plan, sums)
    assert set(made.values()) <= set(STAGES["derive"].jobs(plan, "tofu"))
