"""The official score of SemEval-2025 task 4, by hand: twelve parts, membership, MMLU, their mean, and the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from blur.core.errors import ConfigError
from blur.measurements import ChoiceRow, Measurements
from blur.metrics import Outcome, compute_all
from blur.report import tables
from blur.report.cells import sections
from blur.report.runs import Run
from blur.report.settings import TableSettings
from tests.metrics.builders import compute, measured, row, said

BENCHMARK = yaml.safe_load((Path(__file__).parents[2] / "config/benchmarks/lume.yaml").read_text(encoding="utf-8"))
TABLE = TableSettings(utility=BENCHMARK["judged_by"]["utility"], **BENCHMARK["table"])
OFFICIAL = ("task_aggregate", "mia_score", "mmlu_acc", "final_score")
OTHERS = ("privleak", "forget_probability", "retain_perplexity")  # no part of the score
TRUTH, ANSWER = "one two three four", "Madera"
CELLS = [(side, task) for side in ("forget", "retain") for task in ("task1", "task2", "task3")]
# Words of four that are recited, and questions of five that are answered, of each side and task.
SOUND = dict(zip(CELLS, [(1, 0), (2, 1), (0, 0), (4, 5), (3, 4), (2, 5)], strict=True))
SILENT = dict.fromkeys(CELLS, (0, 0))
RIGHT, SUBJECTS = [-1.0, -2.0, -3.0, -4.0], {"law": (3, 4), "music": (1, 2)}


def answers(counts: dict[tuple[str, str], tuple[int, int]]) -> list[object]:
    """Answers of each cell: three texts recited alike, five questions of which so many are answered."""
    rows: list[object] = []
    for (side, task), (recited, known) in counts.items():
        text = " ".join(TRUTH.split()[:recited]) + " zebra"
        rows += [said(f"t{n}", text, TRUTH, set=f"{side}_{task}_completion") for n in range(3)]
        given = [" madera\n" if n < known else "Madera, I think" for n in range(5)]
        rows += [said(f"q{n}", text, ANSWER, set=f"{side}_{task}_question") for n, text in enumerate(given)]
    return rows


def model(counts: dict[tuple[str, str], tuple[int, int]], losses: tuple[list[float], list[float]]) -> Measurements:
    """A model by its answers, the mean losses of its members and non-members, and 4 of 6 questions answered."""
    rows = answers(counts)
    for name, values in zip(("forget_documents", "holdout_documents"), losses, strict=True):
        rows += [row(f"{name}{n}", [-value], set=name, field="text") for n, value in enumerate(values)]
    for subject, (right, asked) in SUBJECTS.items():
        rows += [
            ChoiceRow("mmlu", f"{subject}{n}", subject, "Q", list("ABCD"), RIGHT, 0 if n < right else 3)
            for n in range(asked)
        ]
    return measured(*rows)  # type: ignore[arg-type]


def score(measurements: Measurements, empty: frozenset[str] = frozenset()) -> dict[str, Outcome]:
    wanted = [spec for spec in BENCHMARK["metrics"] if spec["name"] not in OTHERS]
    return compute_all(wanted, measurements, {}, empty_sets=empty)


def test_the_twelve_parts_and_the_three_by_the_definition() -> None:
    found = score(model(SOUND, ([1.0, 2.0, 3.0], [2.0, 4.0, 5.0])))
    twelve = []
    for (side, task), (recited, known) in SOUND.items():
        pair = [recited / 4, known / 5]
        assert [found[f"{side}_{task}_{what}"].value for what in ("regurgitation", "knowledge")] == pytest.approx(pair)
        twelve += [1 - value if side == "forget" else value for value in pair]
    aggregate = 12 / sum(1 / value for value in twelve)
    members = [(a, b) for a in (1.0, 2.0, 3.0) for b in (2.0, 4.0, 5.0)]
    auc = sum(1.0 if a < b else 0.5 if a == b else 0.0 for a, b in members) / len(members)
    mia, mmlu = 1 - 2 * abs(auc - 0.5), (3 / 4 + 1 / 2) / 2
    assert found["task_aggregate"].value == pytest.approx(aggregate)
    assert sorted(found["task_aggregate"].details.values()) == pytest.approx(sorted(twelve))
    assert found["task_aggregate"].details["1 - forget_task2_knowledge"] == pytest.approx(1 - 1 / 5)
    assert found["mia_score"].value == pytest.approx(mia)
    assert found["mmlu_acc"].value == pytest.approx(mmlu)
    assert found["mmlu_acc"].value != pytest.approx(4 / 6), "over subjects, not over questions"
    assert found["final_score"].value == pytest.approx((aggregate + mia + mmlu) / 3)


@pytest.mark.parametrize(("members", "auc"), [([1.0, 1.5], 1.0), ([5.0, 6.0], 0.0), ([2.0, 4.0], 0.5)])
def test_membership_told_either_way_round_is_as_bad(members: list[float], auc: float) -> None:
    found = score(model(SOUND, (members, [2.0, 4.0])))["mia_score"]
    assert found.details["auc"] == auc
    assert found.value == pytest.approx(1 - 2 * abs(auc - 0.5))


def test_one_retain_score_of_zero_makes_the_aggregate_zero() -> None:
    found = score(model(SOUND | {("retain", "task2"): (3, 0)}, ([1.0], [2.0])))
    assert found["task_aggregate"].value == 0.0


def test_a_collapsed_model_scores_as_the_winner_did() -> None:
    """It says nothing: aggregate 0, membership 1, MMLU as it comes; the mean is still above a third."""
    found = score(model(SILENT, ([7.0, 7.0], [7.0, 7.0])))
    assert [found[name].value for name in OFFICIAL[:2]] == [0.0, 1.0]
    assert found["final_score"].value == pytest.approx((0 + 1 + 0.625) / 3)
    assert found["retain_score"].value == 0.0
    assert [found[name].value for name in ("forget_regurgitation", "forget_knowledge")] == [0.0, 0.0]


def test_parts_of_a_task_that_is_not_taken_do_not_count() -> None:
    empty = frozenset(f"{side}_task3_{kind}" for side in ("forget", "retain") for kind in ("completion", "question"))
    counts = {cell: value for cell, value in SOUND.items() if cell[1] != "task3"}
    found = score(model(counts, ([1.0], [2.0])), empty)
    assert found["forget_task3_knowledge"].value is None
    eight = [value for name, value in found["task_aggregate"].details.items() if "task3" not in name]
    assert len(eight) == len(found["task_aggregate"].details) == 8
    assert found["task_aggregate"].value == pytest.approx(8 / sum(1 / value for value in eight))


def test_all_parts_without_records_leave_nothing_to_take_a_mean_of() -> None:
    specs = [
        {"name": "a", "metric": "exact_match", "set": "s"},
        {"name": "m", "metric": "mean", "of": ["a"], "without_empty": True},
    ]
    found = compute_all(specs, measured(), {}, empty_sets=frozenset({"s"}))["m"]
    assert found.value is None
    assert "no records of set 's'" in str(found.reason)


def test_exact_match_minds_no_case_and_no_space_at_the_ends_and_nothing_else() -> None:
    said_ = [said("a", " MADERA \n", "Madera"), said("b", "Madera.", "Madera"), said("c", "", "Madera")]
    found = compute("exact_match", measured(*said_), set="s")
    assert found.items == {"s": {"a": 1.0, "b": 0.0, "c": 0.0}}
    assert found.value == pytest.approx(1 / 3)


def test_complements_are_parts() -> None:
    with pytest.raises(ConfigError, match="`complements` names 'b', which is none of `of`"):
        compute_all(
            [
                {"name": "a", "metric": "exact_match", "set": "s"},
                {"name": "h", "metric": "harmonic_mean", "of": ["a"], "complements": ["b"]},
            ],
            measured(said("a", "x", "x")),
            {},
        )


def run(method: str, values: dict[str, float], questions: int = 100) -> Run:
    about = {name: {"direction": "higher", "n": questions, "details": {}} for name in values}
    return Run(method, method.upper(), "x", "default", 0, {}, dict(values), about)


def test_the_table_tells_a_collapsed_winner_who_is_barred_and_who_guesses() -> None:
    target = run("target", {"final_score": 0.4, "retain_score": 0.9, "mmlu_acc": 0.8})
    collapsed = run("ga", {"final_score": 0.45, "retain_score": 0.0, "mmlu_acc": 0.3})
    barred = run("rmu", {"final_score": 0.43, "retain_score": 0.8, "mmlu_acc": 0.59})
    sound = run("npo_gdr", {"final_score": 0.42, "retain_score": 0.8, "mmlu_acc": 0.61})
    other = run("simnpo", {"final_score": 0.41, "retain_score": 0.8, "mmlu_acc": 0.7})
    rows = {one.key: one for one in sections([target, collapsed, barred, sound, other], TABLE)[0].rows}
    assert [key for key, one in rows.items() if one.collapsed] == ["ga"]
    assert [key for key, one in rows.items() if one.barred] == ["ga", "rmu"], "below 0.75 of 0.8; never the target"
    assert [key for key, one in rows.items() if one.cells["final_score"].best] == ["npo_gdr"]
    assert [key for key, one in rows.items() if one.cells["mmlu_acc"].guessed] == ["ga"], "0.25 within 0.087"
    text = tables.markdown([target, collapsed, barred, sound, other], "T", TABLE)
    assert "| GA † ¶ | 0.450 |" in text
    assert "0.300°" in text
    assert "¶ below the gate: MMLU accuracy below 75% of the target's" in text
    assert "° within two deviations of guessing" in text
    few = replace(other, about={**other.about, "mmlu_acc": {**other.about["mmlu_acc"], "n": 3}})
    assert sections([target, few], TABLE)[0].rows[-1].cells["mmlu_acc"].guessed, "0.7 of three questions tells nothing"
