"""``accelerate launch`` in front of a stage: the same weights, one writer, one save when a process is told to stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from blur.core.files import read_json
from blur.core.manifest import made
from tests.processes import HANG
from tests.workflow.conftest import SCALE, Workspace
from tests.workflow.test_resume import wait_for, workers

pytestmark = pytest.mark.workflow
WAYS = {"ddp": ("--multi_gpu",), "fsdp2": ("--use_fsdp", "--fsdp_version", "2")}
STAGE = ("-m", "blur.cli", "unlearn", "--scale", SCALE, "--task", "tofu", "--method", "blur_npo")
MODELS = f"results/{SCALE}/models/tofu"
RUN = f"{MODELS}/blur_npo/default/seed0"


def launched(way: str) -> tuple[str, ...]:
    return ("accelerate", "launch", "--num_processes", "2", "--main_process_port", "0", *WAYS[way], *STAGE)


def weights(folder: Path) -> torch.Tensor:
    tensors = load_file(folder / "model.safetensors")
    return torch.cat([tensors[name].double().flatten() for name in sorted(tensors)])


@pytest.mark.long  # CI compares processes without a graph (tests/unlearn/test_parallel.py)
@pytest.mark.parametrize("way", ["ddp", "fsdp2"])
def test_two_processes_make_the_model_of_one(way: str, copied: Workspace) -> None:
    run = copied.root / RUN
    single, target = weights(run), weights(copied.root / MODELS / "target/default/seed0")
    shutil.rmtree(run)
    copied.run(*launched(way))
    assert (weights(run) - single).norm() <= 1e-4 * (single - target).norm()
    facts = read_json(run / "manifest.json")["training"]
    assert (facts["parallel"], facts["world_size"], facts["global_batch_size"]) == (way, 2, 4)
    assert len((run / "steps.jsonl").read_text().splitlines()) == facts["steps"]
    again = copied.run(*launched(way))
    assert "already there" in again.stderr


@pytest.mark.long  # CI stops processes without a graph (test_parallel), and launches them through SLURM
def test_sigterm_to_one_process_saves_once_and_ends_all(copied: Workspace) -> None:
    scale = copied.root / f"config/scales/{SCALE}.yaml"
    scale.write_text(scale.read_text().replace("\n  epochs: 3\n", "\n  epochs: 8\n"))
    run, work = copied.root / RUN, copied.root / f"work/{SCALE}/unlearn/tofu/blur_npo/default/seed0"
    shutil.rmtree(run)
    process = subprocess.Popen(
        launched("fsdp2"), cwd=copied.root, env=copied.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: list(work.glob("*/step*[1-9]")))
    os.kill(max(pid for pid in workers(copied) if pid != process.pid), signal.SIGTERM)
    assert process.wait(timeout=HANG) != 0
    wait_for(lambda: not workers(copied))
    assert not (run / "manifest.json").exists()
    (steps,) = work.glob("*/steps.jsonl")
    done = len(steps.read_text().splitlines())
    assert max(int(path.name.removeprefix("step")) for path in work.glob("*/step0*")) == done > 0
    copied.run("blur", *STAGE[2:])
    assert made(run)["resumed_from"] == done


@pytest.mark.long
def test_a_stage_of_one_process_says_so(copied: Workspace) -> None:
    command = [part.replace("unlearn", "evaluate") for part in launched("ddp")]
    done = copied.run(*command, check=False)
    assert done.returncode != 0
    assert "this stage runs in one process, but 2 were started" in done.stderr
