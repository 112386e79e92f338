"""Changes a person makes, each with exactly the jobs that it must plan at the `ci` scale."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.workflow.conftest import Workspace

DEFAULTS = ["graddiff", "ga_klr", "npo", "npo_gdr", "simnpo", "blur_npo"]
RUNS = [f"{method}/default" for method in DEFAULTS]
RUNS += ["graddiff/lambda10", "blur_npo/gamma4", "npo_gdr/lambda4", "npo_gdr/matched"]
REFERENCES = ["target/default", "retrained/default"]
FIGURES = {f"figure_{name}" for name in ("tradeoff", "front", "alignment", "cosine_npo", "geometry", "trajectories")}
WITH_ALL_METHODS = {"figure_tradeoff", "figure_trajectories", "table"}
MATCHED = {"matched_lambda blur_npo/default/seed0"}


def measured(*runs: str) -> set[str]:
    """Evaluation and metrics of runs."""
    return {f"{rule} {run}/seed0" for run in runs for rule in ("evaluate", "metrics")}


def unlearned(*runs: str) -> set[str]:
    """Unlearning of runs, and what is measured of them."""
    return {f"unlearn {run}/seed0" for run in runs} | measured(*runs)


def all_metrics() -> set[str]:
    return {f"metrics {run}/seed0" for run in (*REFERENCES, *RUNS)}


EVERYTHING = (
    {"data", "base", "reference_sums target/default/seed0", "train target/seed0", "train retrained/seed0", "table"}
    | unlearned(*RUNS)
    | measured(*REFERENCES)
    | MATCHED
    | FIGURES
)
NPO_RUNS = [
    "npo/default",
    "npo_gdr/default",
    "npo_gdr/lambda4",
    "npo_gdr/matched",
    "blur_npo/default",
    "blur_npo/gamma4",
]
OF_BLUR = {"figure_alignment", "figure_geometry", "figure_front"}


@dataclass(frozen=True)
class Case:
    """A change, and the jobs it must plan."""

    name: str
    change: Callable[[Workspace], AbstractContextManager[None]]
    jobs: set[str]


def edit(path: str, old: str, new: str) -> Callable[[Workspace], AbstractContextManager[None]]:
    """A change of one piece of a file."""
    return lambda workspace: workspace.changed(path, old, new)


SIMNPO = "config/methods/simnpo.yaml"
CASES = [
    Case(
        "a value in one method's YAML",
        edit("config/methods/graddiff.yaml", "lam: 1.0", "lam: 2.0"),
        unlearned("graddiff/default") | WITH_ALL_METHODS,
    ),
    Case(
        "a value in BLUR's YAML, which another run's lambda is matched to",
        edit("config/methods/blur_npo.yaml", "gamma: 1.0}\nvariants", "gamma: 1.5}\nvariants"),
        unlearned("blur_npo/default", "npo_gdr/matched") | MATCHED | WITH_ALL_METHODS | OF_BLUR,
    ),
    Case(
        "two values of one method swapped",
        edit(
            SIMNPO,
            "beta: 4.5, delta: 0.0}}]\n  retain: [{stream: retain, loss: nll}]\n  combine: {name: weighted, lam: 8.0",
            "beta: 8.0, delta: 0.0}}]\n  retain: [{stream: retain, loss: nll}]\n  combine: {name: weighted, lam: 4.5",
        ),
        unlearned("simnpo/default") | WITH_ALL_METHODS,
    ),
    Case("keys of one method reordered", edit(SIMNPO, "beta: 4.5, delta: 0.0", "delta: 0.0, beta: 4.5"), set()),
    Case(
        "one method's source file",
        edit("src/blur/unlearn/losses/simnpo.py", "return logsigmoid(", "return 1.0 * logsigmoid("),
        unlearned("simnpo/default") | WITH_ALL_METHODS,
    ),
    Case(
        "a loss that three methods share",
        edit("src/blur/unlearn/losses/npo.py", "return logsigmoid(", "return 1.0 * logsigmoid("),
        unlearned(*NPO_RUNS) | MATCHED | WITH_ALL_METHODS | OF_BLUR | {"figure_cosine_npo"},
    ),
    Case(
        "one metric's file",
        edit("src/blur/metrics/extraction_strength.py", "\ndef compute(", "\nADDED = 1\n\n\ndef compute("),
        all_metrics() | FIGURES | {"table"},
    ),
    Case(
        "one figure's file",
        edit("src/blur/report/figures/tradeoff.py", "\n@style.styled", "\nADDED = 1\n\n\n@style.styled"),
        {"figure_tradeoff"},
    ),
    Case(
        "a comment and a docstring",
        edit("src/blur/unlearn/loop.py", '"""Train ``model`` in place.', '"""Train it.  # other words'),
        set(),
    ),
    Case("the data split", edit("config/tasks/tofu.yaml", "split: forget10", "split: forget05"), EVERYTHING),
]
