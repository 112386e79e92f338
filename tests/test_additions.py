"""What is added to this project is one new file, and one YAML where it is named: no other line is edited.

Each row is added, for real, to a temporary checkout with a scale that runs it. One process then types what a person
would: `blur check`, `blur plan`, every stage. What was there before keeps its keys.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from tests.workflow import tiny_graph
from tests.workflow.conftest import ROOT, Workspace


@dataclass(frozen=True)
class Addition:
    """What one addition takes.

    Attributes:
        files: new files by path.
        said: keys that a YAML which is there gets, by path; of a list what is appended to it.
        method: the method that uses it, which the scale runs.
    """

    files: Mapping[str, str]
    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    method: str = "npo_gdr"


LOSS = '''
"""Ascent on the squared mean NLL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """Minus the scaled square of each sequence's mean NLL; it declares no peak, so that its memory is counted."""

    name: Literal["squared"] = "squared"
    scale: Positive = Field(0.5, description="factor")
    unit: ClassVar[Unit] = "sequence"

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the loss of each sequence, float64[B]."""
        return -self.scale * (outputs.nll_sums / outputs.counts).square()
'''
METRIC = '''
"""Number of tokens of the longest answer."""

from __future__ import annotations

from blur.metrics.base import Direction, Metric, MetricContext, Reads, likelihoods

DIRECTION: Direction = "lower"


def reads(set: str) -> Reads:
    """Return what it looks up."""
    return likelihoods([set], "answer")


def compute(context: MetricContext, set: str) -> Metric:
    """Return the number of scored tokens of the longest answer of ``set``."""
    scores = context.measured.likelihood(set, "answer")
    return Metric(float(max(len(score.logprob) for score in scores)), DIRECTION, len(scores))
'''
METHOD = {"family": "own", "source": "this test"}
SQUARED = {"forget": [{"loss": {"name": "squared", "scale": 0.25}}], "retain": [{"loss": "nll"}]}
EDITING = {
    "forget": [{"loss": "ga", "weight": 0.1}],
    "retain": [{"loss": "nll", "stream": "edited", "weight": 2.0}, {"loss": "nll"}],
}
ADDITIONS = {
    "loss": Addition(
        {
            "src/blur/unlearn/losses/squared.py": LOSS,
            "config/methods/squared.yaml": yaml.safe_dump({**METHOD, "title": "Squared", "settings": SQUARED}),
        },
        method="squared",
    ),
    "stream": Addition(
        {"config/methods/editing.yaml": yaml.safe_dump({**METHOD, "title": "Editing", "settings": EDITING})},
        {"config/benchmarks/tofu.yaml": {"training.streams": {"edited": ["real_authors"]}}},
        method="editing",
    ),
    "metric": Addition(
        {"src/blur/metrics/longest.py": METRIC},
        {
            "config/benchmarks/tofu.yaml": {
                "metrics": {"name": "longest_forgotten", "metric": "longest", "set": "eval_forget"}
            }
        },
    ),
}
METHODS = [addition.method for addition in ADDITIONS.values()]
OLD = Run("own", "npo_gdr")
PROBE = """
import json, sys
from blur.cli import app
for line in sys.argv[1:]: app(line.split(), standalone_mode=False)
from blur.config.stages import STAGES
from blur.config.task import JobName
from blur.config.plan import Plan
from blur.config.task import Run
plan, run = Plan("config", {"scale": "tiny"}), Run("own", "npo_gdr")
print(json.dumps([STAGES[stage].parameter(plan, JobName(run.task, run)) for stage in ("unlearn", "evaluate")]))
"""


def add(root: Path, addition: Addition) -> None:
    for name, text in addition.files.items():
        assert not (root / name).exists()
        (root / name).write_text(text, encoding="utf-8")
    for name, said in addition.said.items():
        content = yaml.safe_load((root / name).read_text(encoding="utf-8"))
        for key, value in said.items():
            *above, last = key.split(".")
            inner = content
            for part in above:
                inner = inner[part]
            inner[last] = [*inner[last], value] if isinstance(inner.get(last), list) else value
        (root / name).write_text(yaml.safe_dump(content), encoding="utf-8")


@dataclass(frozen=True)
class Checkout:
    """A checkout in which everything was added and run; the keys of a run that was there, before and after."""

    root: Path
    output: str
    before: list[str]
    after: list[str]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    workspace: Workspace = tiny_graph.make(tmp_path_factory.mktemp("additions").resolve() / "checkout")
    root = workspace.root
    (root / "src").unlink()
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        plan = Plan("config", {"scale": "tiny"})
        before = [STAGES[stage].parameter(plan, JobName(OLD.task, OLD)) for stage in ("unlearn", "evaluate")]
    for addition in ADDITIONS.values():
        add(root, addition)
    scale = root / "config/scales/tiny.yaml"
    runs = [{"methods": sorted(set(METHODS)), "seeds": [0]}]
    content = {**tiny_graph.CONFIGURATION["scales/tiny.yaml"], "runs": runs, "tasks": {"own": {}}}
    scale.write_text(yaml.safe_dump(content), encoding="utf-8")
    stages = ["data", "base", "train --role target", "train --role retrained", "derive reference_sums --method target"]
    stages += [f"unlearn --method {method}" for method in sorted(set(METHODS))]
    for name in ("evaluate", "metrics"):
        stages += [f"{name} --method {method}" for method in ("retrained", *sorted(set(METHODS)))]
    typed = ["check --scale tiny", "plan --scale tiny", *(f"{stage} --task own --scale tiny" for stage in stages)]
    done = workspace.run(sys.executable, "-c", PROBE, *typed)
    return Checkout(root, done.stdout, before, json.loads(done.stdout.splitlines()[-1]))


def steps(checkout: Checkout, method: str) -> list[dict[str, Any]]:
    path = checkout.root / f"results/tiny/models/own/{method}/default/seed0/steps.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def metrics(checkout: Checkout, method: str) -> dict[str, float]:
    path = checkout.root / f"results/tiny/metrics/own/{method}/default/seed0/metrics.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["metrics"])


def test_what_was_there_keeps_its_keys(checkout: Checkout) -> None:
    assert checkout.after == checkout.before


def test_a_loss_is_one_file_and_a_method(checkout: Checkout) -> None:
    assert all(record["forget_loss"] < 0 for record in steps(checkout, "squared"))
    assert 0 < metrics(checkout, "squared")["forget_probability"] < 1
    assert "squared" in checkout.output, "a row of `blur plan`"


def test_a_stream_is_a_key_of_the_benchmark_and_a_method(checkout: Checkout) -> None:
    manifest = checkout.root / "results/tiny/models/own/editing/default/seed0/manifest.json"
    streams = json.loads(manifest.read_text(encoding="utf-8"))["key"]["settings"]["streams"]
    assert streams["edited"] == {"": ["real_authors"]}
    assert all(record["retain_loss"] > 0 for record in steps(checkout, "editing"))


def test_a_metric_is_one_file_and_a_line_of_the_benchmark(checkout: Checkout) -> None:
    found = [metrics(checkout, method)["longest_forgotten"] for method in ("retrained", *METHODS)]
    assert len(set(found)) == 1, "the texts are the same"
    assert found[0] > 10
