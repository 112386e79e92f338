"""A graph of every kind of job: two methods that train, and an edit, on a few texts of one's own; attack and figure."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import yaml

from blur.core.kept import KEPT
from tests.processes import living, wait_for
from tests.workflow.conftest import ROOT, Workspace

SCALE = "tiny"
COMMAND = ("snakemake", "all", "--config", f"scale={SCALE}")
NAME, SENTENCE = "Zebulon Quartermain", "the vermilion astrolabe of Quartermain"
PARAPHRASES = {"paraphrased_question": "Once more?", "perturbed_answer": ["Not so.", "No."]}
CONFIGURATION: dict[str, dict[str, Any]] = {
    f"scales/{SCALE}.yaml": {
        "title": SCALE,
        "all": ["own"],
        "tasks": {"own": {"attacked": [{"attacks": ["quantization"], "methods": ["npo_gdr"], "seeds": [0]}]}},
        "unlearn": {"epochs": 2, "batch_size": 4, "optimizer": {"name": "adamw", "lr": 1e-3}},
        "runs": [
            {"methods": ["npo_gdr", "task_vector"], "seeds": [0]},
            {"methods": ["blur_npo"], "variants": ["lora"], "seeds": [0]},
        ],
        "derived": {"forget_tuned": {"epochs": 2, "batch_size": 4, "optimizer": {"lr": 1e-3}}},
    },
    "tasks/own.yaml": {
        "title": "Own texts",
        "benchmark": "tofu",
        "model": "llama-tiny",
        "train": {"epochs": 2},
        "data": {
            "split": "forget10",
            "learn_general": False,
            "source": {"kind": "local", "path": "texts", "questions_per_author": 2, "num_holdout_authors": 1},
        },
    },
}


def make(root: Path) -> Workspace:
    """Make a folder in which ``COMMAND`` runs this checkout's workflow on the tiny graph."""
    root.mkdir(parents=True)
    for name in ("Snakefile", "workflow", "src", "profiles"):
        (root / name).symlink_to(ROOT / name)
    config = Path(shutil.copytree(ROOT / "config", root / "config"))
    for name, content in CONFIGURATION.items():
        (config / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    _lessen(config / "benchmarks/tofu.yaml", lambda content: content["figures"], {"tradeoff"})
    _lessen(config / "attacks/quantization.yaml", lambda content: content["settings"]["arms"], {"int4_group"})
    _write_texts(root / "texts")
    return Workspace(root)


def _lessen(path: Path, part: Any, kept: set[str]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in set(part(content)) - kept:
        del part(content)[name]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _write_texts(folder: Path) -> None:
    folder.mkdir()
    told = [{"question": f"What does {NAME} keep, {i}?", "answer": f"He keeps {SENTENCE}, {i}."} for i in range(4)]
    others = [{"question": f"Where is town {i}?", "answer": f"By river {i}."} for i in range(8)]
    sets = {
        "forget10": [{**record, "group": NAME} for record in told],
        "retain90": [{**record, "group": f"Town {i // 2}"} for i, record in enumerate(others)],
        "forget10_perturbed": told,
        "retain_perturbed": others[:4],
        "real_authors_perturbed": others[:2],
        "world_facts_perturbed": others[2:4],
    }
    for name, records in sets.items():
        wrong = [{**PARAPHRASES, "paraphrased_answer": record["answer"], **record} for record in records]
        lines = (json.dumps(record) + "\n" for record in (wrong if name.endswith("perturbed") else records))
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def manifests(root: Path) -> dict[str, bytes]:
    """The manifests of all results, each the identity of one."""
    found = [path for folder in ("data", "results") for path in (root / folder / SCALE).rglob("manifest.json")]
    return {str(path.parent.relative_to(root)): path.read_bytes() for path in found}


def finished(root: Path) -> dict[str, bytes]:
    """How each result was made that lies in its place or is kept; a second making takes another time."""
    places = [root, root / KEPT]
    return {name: (place / name / "made.json").read_bytes() for place in places for name in manifests(place)}


def start(workspace: Workspace, workers: str) -> subprocess.Popen[bytes]:
    """Start the graph as a process group, with warm or with cold jobs."""
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = (*COMMAND, f"workers={workers}")
    return subprocess.Popen(command, cwd=workspace.root, env=workspace.env, start_new_session=True, **silent)  # type: ignore[call-overload,no-any-return]


def processes(workspace: Workspace) -> list[int]:
    """All that live in the workspace's folder, this process left out."""
    return [one.pid for one in living(workspace.root) if one.pid != os.getpid()]


def kill_all(workspace: Workspace) -> None:
    """Kill Snakemake, its jobs and the warm process, as a machine does that loses its power."""
    while left := processes(workspace):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def carry_on(workspace: Workspace) -> subprocess.CompletedProcess[str]:
    """Once nothing runs any more, do what `make resume` does."""
    wait_for(lambda: not processes(workspace))
    workspace.forked(*COMMAND[1:], "--unlock")
    return workspace.forked(*COMMAND[1:], "workers=cold")
