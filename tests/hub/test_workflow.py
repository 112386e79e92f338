"""`make fetch` through the hub; then, the hub stopped, the shortest path of a benchmark of the paper's graph."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from blur.core.files import read_json
from tests.hub.app import GRANTED, UNKNOWN
from tests.hub.published import models, tofu
from tests.hub.server import served
from tests.workflow.conftest import ROOT, Workspace

pytestmark = pytest.mark.workflow

TASK, SCALE, QUESTIONS = "tofu_llama_1b", "path", 4
ANSWERED = ("eval_forget", "eval_retain", "real_authors", "world_facts")
# The rehearsal's, of which one task, one run, few questions and the beginnings of answers are left.
PATH = {
    "title": SCALE,
    "extends": "rehearsal",
    "all": [TASK],
    "runs": [{"methods": ["blur_npo"], "seeds": [0]}],
    "unlearn": {"epochs": 1},
    "tasks": {
        TASK: {
            "attacked": [],
            "data": {"source": {"questions_per_author": QUESTIONS}},
            "measure": {"generation": [{"set": name, "max_new_tokens": 4} for name in ANSWERED]},
        }
    },
}
ONE_B = tuple(f"open-unlearning/tofu_Llama-3.2-1B-Instruct_{role}" for role in ("full", "retain90"))


def test_one_benchmark_is_fetched_and_then_runs_without_the_hub(tmp_path: Path) -> None:
    hub, root = tmp_path / "hub", tmp_path / "checkout"
    models.build(hub, ONE_B)
    tofu.build(hub, None, questions=QUESTIONS)
    root.mkdir()
    for name in ("Snakefile", "workflow", "src", "profiles"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "config", root / "config")
    (root / f"config/scales/{SCALE}.yaml").write_text(yaml.safe_dump(PATH))
    workspace = Workspace(root)
    workspace.env |= {"HF_HOME": str(tmp_path / "home"), "HF_TOKEN": GRANTED}
    run = ("--cores", "1", "--config", f"scale={SCALE}")
    with served(hub) as address:
        workspace.env["HF_ENDPOINT"] = address
        workspace.run("snakemake", "fetch", *run)
    assert not (hub / UNKNOWN).exists()
    workspace.env["HF_HUB_OFFLINE"] = "1"
    shutil.rmtree(tmp_path / "home")  # what was fetched lies in the checkout: no job looks into a cache
    end = f"results/{SCALE}/metrics/{TASK}/blur_npo/default/seed0"
    workspace.run("snakemake", f"{end}/manifest.json", *run)
    metrics = read_json(root / end / "metrics.json")["metrics"]
    assert 0 <= metrics["forget_quality"] <= 1
