"""The real rows of LUME: they load, and a small model that has seen a few of them is scored."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from blur.core.errors import DataError
from blur.data.benchmarks import lume
from blur.data.benchmarks.lume.settings import TASKS
from tests.workflow import tiny_graph
from tests.workflow.conftest import Workspace

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "data" / "lume"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the real LUME files")]

TYPE = "import sys; from blur.cli import app\nfor line in sys.argv[1:]: app(line.split(), standalone_mode=False)"
TASK = "lume_local"
SHORT = {"max_new_tokens": 8}


def build(**source):
    return lume.Data.model_validate({"source": {"kind": "local", "path": str(FOLDER), **source}}).build()


def test_all_rows_are_there_and_pass_the_checks():
    sets = build()
    counts = {side: [len(sets[f"{side}_{task}_completion"]) for task in TASKS] for side in ("forget", "retain")}
    assert counts == {"forget": [243, 250, 373], "retain": [246, 250, 371]}
    asked = {side: [len(sets[f"{side}_{task}_question"]) for task in TASKS] for side in ("forget", "retain")}
    assert asked == {"forget": [243, 1250, 373], "retain": [246, 1250, 371]}
    assert sum(counts["forget"] + asked["forget"]) == 2732
    assert sum(counts["retain"] + asked["retain"]) == 2734
    assert sets["holdout_documents"] == []


def test_fewer_documents_for_a_cpu_and_some_in_no_training():
    sets = build(num_documents=5, num_holdout=7)
    assert [len(sets[f"{side}_documents"]) for side in ("forget", "retain", "holdout")] == [15, 15, 21]
    kept = {record["group"] for record in sets["retain_documents"]}
    assert kept.isdisjoint(record["group"] for record in sets["holdout_documents"])


@pytest.mark.parametrize("source", [{"num_documents": 251}, {"num_documents": 240, "num_holdout": 7}])
def test_more_documents_than_there_are(source):
    with pytest.raises(DataError, match="task1 has 243 documents to forget and 246 others"):
        build(**source)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Metrics by method of a tiny model that learns a few documents of tasks 1 and 2, and forgets those it has to."""
    workspace: Workspace = tiny_graph.make(tmp_path_factory.mktemp("lume").resolve() / "checkout")
    config = workspace.root / "config"
    task = yaml.safe_load((config / f"tasks/{TASK}.yaml").read_text(encoding="utf-8"))
    asked = yaml.safe_load((config / "benchmarks/lume.yaml").read_text(encoding="utf-8"))["measure"]["generation"]
    source = {"kind": "local", "path": str(FOLDER), "num_documents": 2, "num_holdout": 2}
    task |= {"data": {"tasks": ["task1", "task2"], "num_subjects": 1, "source": source}}
    task |= {"retrained": {"kind": "none"}, "train": {"epochs": 1}}
    task |= {"measure": {"generation": [{**one, **SHORT} for one in asked]}}
    (config / f"tasks/{TASK}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    scale = {"title": "few", "all": [TASK], "tasks": {TASK: {}}, "runs": [{"methods": ["ga"], "seeds": [0]}]}
    scale |= {"unlearn": {"epochs": 1, "batch_size": 8, "optimizer": {"name": "adamw", "lr": 1e-3}}}
    (config / "scales/few.yaml").write_text(yaml.safe_dump(scale), encoding="utf-8")
    stages = ["data", "base", "train --role target", "unlearn --method ga"]
    stages += [f"{name} --method {who}" for name in ("evaluate", "metrics") for who in ("target", "ga")]
    typed = [f"{stage} --task {TASK} --scale few" for stage in (*stages, "table")]
    workspace.run(sys.executable, "-c", TYPE, *typed)
    found = {
        who: json.loads((workspace.root / f"results/few/metrics/{TASK}/{who}/default/seed0/metrics.json").read_text())
        for who in ("target", "ga")
    }
    return found, (workspace.root / f"results/few/figures/{TASK}/results.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_small_model_of_tasks_1_and_2_is_scored(results):
    found, table = results
    for told in found.values():
        parts = told["about"]["task_aggregate"]["details"]
        assert len(parts) == 8, "those of the third task have no rows"
        values = list(parts.values())
        mean = 0.0 if min(values) == 0 else len(values) / sum(1 / value for value in values)
        three = [told["metrics"][name] for name in ("task_aggregate", "mia_score", "mmlu_acc")]
        assert three[0] == pytest.approx(mean)
        assert 0 <= three[1] <= 1
        assert told["metrics"]["final_score"] == pytest.approx(sum(three) / 3)
        assert told["metrics"]["forget_task3_knowledge"] is None
    assert found["target"]["metrics"] != found["ga"]["metrics"]
    assert "Final score" in table
