"""What `blur` says when it fetches from a hub that misbehaves: ``python -m tests.hub.fetching FOLDER CASE ...``.

It runs in an empty folder with a copy of the configuration, with ``HF_ENDPOINT`` and ``HF_HOME`` of its own, which the
clients read when they are imported; one process for all cases, since importing them takes seconds. Printed is JSON: by
case the errors of the tries, empty where one succeeded.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.core.errors import as_told
from blur.stages.job import Job
from tests.hub.published.tofu import REPOSITORY
from tests.hub.repository import Repository, repository

MODEL = "open-unlearning/tofu_Llama-3.2-1B-Instruct_full"
TASK = "tofu_llama_1b"

# How the hub answers, try by try.
MODEL_FAULTS: dict[str, list[dict[str, Any]]] = {
    "gated": [{"gated": True}],
    "missing": [{"missing": True}],
    "renamed": [{"renamed": f"{MODEL}_new"}],
    "cut": [{"cut": {"model.safetensors": 100_000}, "resumes": False}, {}],
    "spoilt": [{"spoilt": ["model.safetensors"]}, {}],
    "spoilt_small": [{"spoilt": ["config.json"]}, {}],
    "incomplete": [{"hidden": ["model.safetensors"]}],
}
DATASET_FAULTS: dict[str, list[dict[str, Any]]] = {
    "gated": [{"gated": True}],
    "missing": [{"missing": True}],
    "renamed": [{"renamed": f"{REPOSITORY}-new"}],
    "cut": [{"cut": {"forget10.json": 1000}, "resumes": False}, {}],
    "spoilt": [{"spoilt": ["forget10.json"]}, {}],
    "incomplete": [{"hidden": ["forget10.json"]}],
}


def main() -> None:
    time.sleep = lambda _: None  # the clients wait between tries
    hub, *cases = Path(sys.argv[1]), *sys.argv[2:]
    found = {}
    for case in cases:
        kind, _, fault = case.partition(":")
        of, behaviours = (MODEL, MODEL_FAULTS) if kind == "model" else (REPOSITORY, DATASET_FAULTS)
        asked = repository(hub, f"{kind}s", of)
        if fault:
            shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)
        fetch = fetch_model if kind == "model" else fetch_data
        found[case] = [_tried(asked, how, fetch) for how in behaviours.get(fault, [{}])]
    print(json.dumps(found))


def _tried(asked: Repository, how: dict[str, Any], fetch: Callable[[], None]) -> str:
    """Fetch while the hub answers so; return the error."""
    for made in (Path("data"), Path("results"), Path("work")):
        shutil.rmtree(made, ignore_errors=True)
    with asked.behaving(**how):
        try:
            fetch()
        except Exception as error:  # one that is none of ours names no place, and is told as it is
            return f"{type(error).__name__}: {error}" if as_told(error) is None else str(error)
    return ""


def fetch_model() -> None:
    _run("train", role="target")


def fetch_data() -> None:
    _run("data")


def _run(name: str, **options: str) -> None:
    plan, stage = Plan("config", {"scale": "rehearsal", "task": TASK}), STAGES[name]
    job = stage.job(TASK, **options)
    import_module(f"blur.stages.{name}").run(Job(plan, stage, job, stage.key(plan, job)))


if __name__ == "__main__":
    main()
