"""What is added to this project is one new file, and one YAML where it is named: no other line is edited.

Each row is added, for real, to a temporary checkout with a scale that runs it. One process then types what a person
would: `blur check`, `blur plan`, every stage. What was there before keeps its keys.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from tests.workflow import tiny_graph
from tests.workflow.conftest import ROOT, Workspace


@dataclass(frozen=True)
class Addition:
    """What one addition takes.

    Attributes:
        code: new modules, as they lie in ``tests/additions``.
        files: new files of the configuration by path.
        said: keys that a YAML which is there gets, by path; of a list what is appended to it.
        method: the method that uses it, which the scale runs.
    """

    code: Sequence[str]
    files: Mapping[str, str]
    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    method: str = "npo_gdr"


ADDED = Path(__file__).parent / "additions"
METHOD = {"family": "own", "source": "this test"}
PAIR = {"forget": [{"loss": "ga", "weight": 0.1}], "retain": [{"loss": "nll"}]}
EDITED = {"loss": "nll", "stream": "edited", "weight": 2.0}
MEASURED = {"likelihood": [{"set": name, "fields": ["answer"]} for name in ("forget", "retain")]}
PROBABILITY = [
    {"name": "forget_probability", "metric": "probability", "set": "forget", "direction": "lower"},
    {"name": "retain_probability", "metric": "probability", "set": "retain"},
]
COUNTING = {
    "title": "Counting",
    "module": "counting",
    "training": {"forget": ["forget"], "retain": ["retain"], "target": ["forget", "retain"], "retrained": ["retain"]},
    "measure": MEASURED,
    "epochs": MEASURED,
    "metrics": PROBABILITY,
    "trajectory": PROBABILITY,
    "judged_by": {"forget": ["forget_probability"], "utility": "retain_probability"},
    "figures": {"tradeoff": {"options": {"forget": ["forget_probability"], "utility": "retain_probability"}}},
    "table": {"columns": ["forget_probability", "retain_probability"]},
}
NOISE = {"title": "Noise", "module": "noise", "source": "this test", "settings": {"arms": {"some": 0.01, "more": 1.0}}}


def method(name: str, settings: Mapping[str, Any], **others: str) -> dict[str, str]:
    """The YAML of a method."""
    return {f"config/methods/{name}.yaml": yaml.safe_dump({**METHOD, "title": name, "settings": settings, **others})}


ADDITIONS = {
    "loss": Addition(
        ["unlearn/losses/squared.py"],
        method("squared", {**PAIR, "forget": [{"loss": {"name": "squared", "scale": 0.25}}]}),
        method="squared",
    ),
    "optimizer": Addition(
        ["unlearn/optimizers/signs.py"],
        method("signed", {**PAIR, "optimizer": {"name": "signs", "lr": 1e-4}}),
        method="signed",
    ),
    "combination": Addition(
        ["unlearn/combine/mean.py"], method("averaged", {**PAIR, "combine": "mean"}), method="averaged"
    ),
    "edit": Addition(
        ["edits/shrink.py"], method("shrunk", {"edit": {"name": "shrink", "factor": 0.9}}, kind="edit"), method="shrunk"
    ),
    "derived artefact": Addition(["derived/num_texts.py"], {}, method="shrunk"),
    "wrapper": Addition(
        ["models/wrappers/shift.py"],
        method("shifted", {**PAIR, "wrapper": "shift", "optimizer": {"lr": 0.1}}),
        method="shifted",
    ),
    "stream": Addition(
        [],
        method("editing", {**PAIR, "retain": [EDITED, {"loss": "nll"}]}),
        {"config/benchmarks/tofu.yaml": {"training.streams": {"edited": ["real_authors"]}}},
        method="editing",
    ),
    "metric": Addition(
        ["metrics/kinds/longest.py"],
        {},
        {
            "config/benchmarks/tofu.yaml": {
                "metrics": {"name": "longest_forgotten", "metric": "longest", "set": "eval_forget"}
            }
        },
    ),
    "attack": Addition(
        ["attacks/kinds/noise.py"],
        {"config/attacks/noise.yaml": yaml.safe_dump(NOISE)},
        {"config/benchmarks/tofu.yaml": {"attacks.noise": {"metrics": ["forget_probability"]}}},
    ),
    "benchmark": Addition(
        ["data/benchmarks/counting.py"], {"config/benchmarks/counting.yaml": yaml.safe_dump(COUNTING)}
    ),
}
TASK = {
    "title": "Counting",
    "benchmark": "counting",
    "model": "llama-tiny",
    "train": {"epochs": 2},
    "data": {"source": {}},
}
METHODS = sorted({addition.method for addition in ADDITIONS.values()})
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
    for name in addition.code:
        assert not (root / "src/blur" / name).exists()
        shutil.copy(ADDED / "src/blur" / name, root / "src/blur" / name)
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
    runs = [{"methods": METHODS, "seeds": [0]}]
    attacked = [{"attacks": ["noise"], "methods": ["npo_gdr"], "seeds": [0]}]
    counting = {"runs": [{"methods": ["npo_gdr"], "seeds": [0]}]}
    tasks = {"own": {"attacked": attacked}, "counting": counting}
    content = {**tiny_graph.CONFIGURATION["scales/tiny.yaml"], "runs": runs, "tasks": tasks, "all": ["own", "counting"]}
    scale.write_text(yaml.safe_dump(content), encoding="utf-8")
    (root / "config/tasks/counting.yaml").write_text(yaml.safe_dump(TASK), encoding="utf-8")
    typed = ["check --scale tiny", "plan --scale tiny"]
    for task, methods in (("own", METHODS), ("counting", ["npo_gdr"])):
        stages = ["data", "base", "train --role target", "train --role retrained"]
        derived = ["reference_sums", "num_texts"] if task == "own" else ["reference_sums"]
        stages += [f"derive {kind} --method target" for kind in derived]
        stages += [f"unlearn --method {method}" for method in methods]
        for name in ("evaluate", "metrics"):
            stages += [f"{name} --method {method}" for method in ("target", "retrained", *methods)]
        if task == "own":
            stages += [f"{name} --method npo_gdr --attack noise" for name in ("attack", "attack-metrics")]
        typed += [f"{stage} --task {task} --scale tiny" for stage in (*stages, "table")]
    done = workspace.run(sys.executable, "-c", PROBE, *typed)
    return Checkout(root, done.stdout, before, json.loads(done.stdout.splitlines()[-1]))


def steps(checkout: Checkout, method: str) -> list[dict[str, Any]]:
    path = checkout.root / f"results/tiny/models/own/{method}/default/seed0/steps.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def metrics(checkout: Checkout, method: str, task: str = "own") -> dict[str, float]:
    path = checkout.root / f"results/tiny/metrics/{task}/{method}/default/seed0/metrics.json"
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


def weights(checkout: Checkout, method: str) -> dict[str, torch.Tensor]:
    return load_file(checkout.root / f"results/tiny/models/own/{method}/default/seed0/model.safetensors")


def test_an_optimizer_is_one_file_and_a_method(checkout: Checkout) -> None:
    start, end = weights(checkout, "target"), weights(checkout, "signed")
    number = len(steps(checkout, "signed"))
    moves = {round(value / 1e-4) for name in start for value in (end[name] - start[name]).flatten().tolist()}
    assert moves <= set(range(-number, number + 1)), "whole steps"
    assert {-number, number} & moves


def test_a_combination_is_one_file_and_a_method(checkout: Checkout) -> None:
    for record in steps(checkout, "averaged"):
        square = record["forget_norm"] ** 2 + 2 * record["inner"] + record["retain_norm"] ** 2
        assert record["update_norm"] == pytest.approx(square**0.5 / 2)


def test_an_edit_and_what_is_derived_for_it_are_a_file_each_and_a_method(checkout: Checkout) -> None:
    start, end = weights(checkout, "target"), weights(checkout, "shrunk")
    for name, one in end.items():
        assert torch.allclose(one, start[name] * (0.9**4 if one.ndim > 1 else 1)), "four texts to forget"


def test_a_wrapper_is_one_file_and_a_method(checkout: Checkout) -> None:
    """The weights stay as they were; what is measured is the model with what stays around it."""
    start, end = weights(checkout, "target"), weights(checkout, "shifted")
    assert all(torch.equal(end[name], start[name]) for name in start)
    found = [metrics(checkout, method)["forget_probability"] for method in ("target", "shifted")]
    assert abs(found[0] - found[1]) > 1e-4
    card = checkout.root / "results/tiny/models/own/shifted/default/seed0/README.md"
    assert "whoever loads the weights alone has a model that forgot nothing" in card.read_text(encoding="utf-8")


def test_an_attack_is_one_file_and_one_yaml(checkout: Checkout) -> None:
    path = checkout.root / "results/tiny/attack_metrics/own/npo_gdr/default/seed0/noise/attack.json"
    points = json.loads(path.read_text(encoding="utf-8"))["points"]
    assert {name: point["std"] for name, point in points.items()} == {"some": 0.01, "more": 1.0}
    assert len({point["metrics"]["forget_probability"] for point in points.values()}) == 2


def test_a_benchmark_is_one_module_and_one_yaml(checkout: Checkout) -> None:
    assert 0 < metrics(checkout, "npo_gdr", "counting")["forget_probability"] < 1
    table = checkout.root / "results/tiny/figures/counting/results.md"
    assert "NPO-GDR" in table.read_text(encoding="utf-8")
