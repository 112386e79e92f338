"""Bar 3: a hub that misbehaves is told where it is asked, with file and key, what is wrong and what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.fetching import DATASET_FAULTS, MODEL, MODEL_FAULTS
from tests.hub.published import models, tofu
from tests.hub.server import ROOT
from tests.processes import HANG

Said = dict[str, list[str]]
CASES = [*(f"model:{fault}" for fault in MODEL_FAULTS), *(f"dataset:{fault}" for fault in DATASET_FAULTS)]
PLAIN = ["model", "dataset"]
TARGET = rf"^config/tasks/tofu_llama_1b.yaml: target.name: model '{MODEL}': "
SOURCE = (
    r"^config/scales/rehearsal.yaml: tasks.tofu_llama_1b.data.source: "
    r"(dataset 'locuslab/TOFU': |locuslab/TOFU, configuration )"
)


@pytest.fixture(scope="module")
def said(hub_folder: Path, address: str, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What was said in each case; and then, without a hub, what is said of that which was fetched before."""
    models.build(hub_folder, (MODEL,))
    tofu.build(hub_folder, None)
    folder = tmp_path_factory.mktemp("fetching")
    shutil.copytree(ROOT / "config", folder / "config")
    found = _said(folder, hub_folder, [*CASES, *PLAIN], HF_ENDPOINT=address)
    offline = _said(folder, hub_folder, PLAIN, HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    return found | {f"{case}:offline": errors for case, errors in offline.items()}


def _said(folder: Path, hub: Path, cases: list[str], **environment: str) -> Said:
    own = {**os.environ, "HF_HOME": str(folder / "home"), "PYTHONPATH": _path(), **environment}
    own.pop("HF_TOKEN", None)
    command = [sys.executable, "-m", "tests.hub.fetching", str(hub), *cases]
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _path() -> str:
    return os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])


@pytest.mark.parametrize(
    ("case", "error"),
    [
        (
            "model:gated",
            rf"{TARGET}.*gated repo.*Accept the terms on the page of the model {MODEL}.*hf auth login.*HF_TOKEN",
        ),
        ("model:missing", rf"{TARGET}.*not a .*Mend the name; where the model is private, log in"),
        ("model:cut", rf"{TARGET}.*peer closed connection.*Type the same command again: the download broke off"),
        (
            "model:spoilt",
            rf"{TARGET}model.safetensors came with another content than the hub says.*removed from the cache",
        ),
        (
            "model:spoilt_small",
            rf"{TARGET}config.json came with another content than the hub says.*removed from the cache",
        ),
        ("model:incomplete", rf"{TARGET}.*named model.safetensors.*which files it has; of weights, safetensors alone"),
        (
            "dataset:gated",
            rf"{SOURCE}.*gated dataset.*Accept the terms on the page of the dataset locuslab/TOFU.*hf auth login",
        ),
        (
            "dataset:missing",
            rf"{SOURCE}.*doesn't exist on the Hub.*Mend the name; where the dataset is private, log in",
        ),
        ("dataset:cut", rf"{SOURCE}.*Type the same command again: the download broke off"),
        (
            "dataset:spoilt",
            rf"{SOURCE}forget10.json came with another content than the hub says.*removed from the cache",
        ),
        ("dataset:incomplete", rf"{SOURCE}.*forget10"),
    ],
)
def test_a_fault_of_the_hub_names_place_and_remedy(said: Said, case: str, error: str) -> None:
    assert re.search(error, said[case][0], re.DOTALL), said[case][0]


@pytest.mark.parametrize("case", [case for case in CASES if case.endswith(("cut", "spoilt", "spoilt_small"))])
def test_the_same_command_again_mends_it(said: Said, case: str) -> None:
    assert said[case][1] == ""


@pytest.mark.parametrize("case", ["model:renamed", "dataset:renamed"])
def test_what_was_renamed_is_fetched_under_its_old_name(said: Said, case: str) -> None:
    assert said[case] == [""]


@pytest.mark.parametrize("kind", PLAIN)
def test_what_was_fetched_is_there_without_a_hub(said: Said, kind: str) -> None:
    assert said[kind] == said[f"{kind}:offline"] == [""]
