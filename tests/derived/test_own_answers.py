"""What the model says to questions that are kept, beside what is true of them; other answers for what is forgotten."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.config.task import Run
from blur.core.errors import DataError
from blur.derived.own_answers import Derived
from blur.measure import generate as generation
from blur.measure.generate import Generation
from blur.measure.sampling import Sampling
from blur.models.encode import Example

ROOT = Path(__file__).parents[2]
TEXTS = [Example(f"r{n}", [1, 10 + n, 20 + n, 0], 2, ended=True) for n in range(8)]
END = 0


def made(monkeypatch: pytest.MonkeyPatch, folder: Path, texts: list[Example], **changes: Any) -> Any:
    """Make answers with a model that says a question's number plus 30, and never ends its answer to an even one."""
    asked: dict[str, Any] = {}

    def generate(model: Any, prompts: Any, tokens: int, *_: Any, sampling: Sampling) -> list[Generation]:
        asked.update(prompts=prompts, tokens=tokens, sampling=sampling)
        return [Generation([prompt[1] + 20], prompt[1] % 2 == 1) for prompt in prompts]

    monkeypatch.setattr(generation, "generate", generate)
    monkeypatch.setattr("blur.models.turn.end_token", lambda *_: END)
    source: Any = SimpleNamespace(
        load=lambda: SimpleNamespace(model=None, tokenizer=None, template=None),
        examples=lambda _, stream: {"retain": texts}[stream],
    )
    kind = Derived(**changes)
    assert kind.make(source, folder) == ["answers.json"]
    return kind.read(folder), asked


def test_answers_that_ended_stand_beside_all_true_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read, asked = made(monkeypatch, tmp_path, TEXTS, share=0.5, temperature=0.7, seed=3, max_new_tokens=9)
    assert (asked["tokens"], asked["sampling"]) == (9, Sampling(0.7, 3))
    numbers = [prompt[1] - 10 for prompt in asked["prompts"]]
    assert len(numbers) == 4
    assert numbers == sorted(set(numbers))
    found = read(TEXTS)
    assert found[:8] == TEXTS
    own = [Example(f"r{n}~own", [1, 10 + n, 30 + n, END], 2, ended=True) for n in numbers if n % 2]
    assert found[8:] == own
    assert own


def test_a_text_without_a_question_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a text without a question has no answer.*'?x'?.*own_answers"):
        made(monkeypatch, tmp_path, [Example("x", [1, 2, 3], 0)])


def test_the_method_reads_other_answers_for_what_it_forgets_and_these_for_what_it_keeps() -> None:
    plan, run = Plan(ROOT / "config", {"scale": "study"}), Run("tofu", "generative_relabel")
    assert run in plan.runs("tofu")
    assert set(plan.derived(run)) == {"sampled_answers", "own_answers"}
    settings = plan.method_settings(run)
    assert settings.alternates == {"forget": "sampled"}
