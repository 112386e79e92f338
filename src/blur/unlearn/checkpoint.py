"""Resume state: whole or absent, the two latest kept, and refused if it belongs to another run.

It is the same whether one process made it or several, sharded or not; so any number of them can go on from it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from blur.core.errors import ArtifactError
from blur.core.files import read_json, write_json
from blur.unlearn import distributed
from blur.unlearn.sharding import Trainable, cut, whole

if TYPE_CHECKING:
    from blur.unlearn.step import Updater
    from blur.unlearn.steplog import StepLog

_KEPT = 2
Kept = Mapping[str, MutableMapping[Any, dict[str, Any]]]
"""What is kept from step to step for each share of the parameters, by who keeps it: the optimizer, the combination."""
OfRun = Mapping[str, dict[str, float]]


@dataclass(frozen=True)
class State:
    """What a run goes on from, all of it whole.

    Attributes:
        weights: by name.
        moments, numbers: kept from step to step of each parameter, by ``holder/key/name``.
        of_run: numbers kept of the run, by holder.
    """

    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    numbers: dict[str, Any]
    of_run: OfRun


def collect(trainable: Trainable, kept: Kept, of_run: OfRun) -> State:
    """Return the state, in memory that training goes on using, except for what is put together from parts of it.

    Every process has to call it; where weights are sharded, only the first one receives tensors.
    """
    state = State({}, {}, {}, of_run)
    for name, parameter, part in zip(trainable.names, trainable.parameters, trainable.shares, strict=True):
        _keep(state.weights, name, part.detach(), parameter)
        for holder, states in kept.items():
            for key, value in states.get(part, {}).items():
                if isinstance(value, Tensor):
                    _keep(state.moments, f"{holder}/{key}/{name}", value, parameter)
                elif value is not None:
                    state.numbers[f"{holder}/{key}/{name}"] = value
    return state


def _keep(tensors: dict[str, Tensor], name: str, part: Tensor, parameter: Tensor) -> None:
    full = whole(part, parameter)
    if full is part:
        tensors[name] = full.contiguous()
    elif distributed.rank() == 0:
        tensors[name] = full.cpu()


def save(directory: Path, step: int, identity: str, state: State) -> None:
    """Write the state after ``step`` updates under ``directory``: to a temporary folder, flushed, then renamed.

    Args:
        identity: hash of everything that the run is a function of.
    """
    final = directory / f"step{step:08d}"
    temporary = directory / f".{final.name}.tmp"
    for leftover in directory.glob(".step*.tmp"):
        shutil.rmtree(leftover)
    temporary.mkdir(parents=True)
    save_file(state.weights, temporary / "model.safetensors")
    save_file(state.moments, temporary / "moments.safetensors")
    write_json(
        temporary / "state.json", {"step": step, "identity": identity, "numbers": state.numbers, "of_run": state.of_run}
    )
    for path in (*temporary.iterdir(), temporary):
        _flush(path)
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)
    _flush(directory)
    for old in _found(directory)[_KEPT:]:
        shutil.rmtree(old)


def restore(directory: Path, identity: str, trainable: Trainable, kept: Kept, of_run: OfRun) -> int:
    """Load the newest readable state into the parameters and what is kept; return its step, 0 if there is none.

    Each process takes its part.

    Raises:
        ArtifactError: the state there belongs to another run.
    """
    for path in _found(directory):
        try:
            state = read_json(path / "state.json")
            weights = load_file(path / "model.safetensors")
            moments = load_file(path / "moments.safetensors")
            loaded = State(weights, moments, state["numbers"], state.get("of_run", {}))
        except (OSError, ValueError, SafetensorError):
            continue
        if state["identity"] != identity:
            raise ArtifactError(
                "the checkpoint was made with other settings, data or start weights",
                where=str(path),
                remedy=f"Type `rm -r {directory}` to start the run again, or go back to the settings it was made with",
            )
        _load(loaded, trainable, kept)
        for holder, numbers in loaded.of_run.items():
            of_run[holder].update(numbers)
        return state["step"]
    return 0


class Saver:
    """Writes and reads the checkpoints of one run."""

    def __init__(self, directory: Path | None, identity: str, updater: Updater) -> None:
        self.directory, self.identity, self.updater = directory, identity, updater

    def restore(self) -> int:
        """Load the newest state; return its step.

        Raises:
            ArtifactError: it belongs to another run, or the processes do not see the same one.
        """
        if self.directory is None:
            return 0
        updater = self.updater
        step = restore(self.directory, self.identity, updater.trainable, updater.states, updater.numbers)
        steps = distributed.gather_value(step, updater.device)
        if len(set(steps)) > 1:
            raise ArtifactError(
                f"the processes find checkpoints of different steps: {', '.join(map(str, steps))}",
                where=str(self.directory),
                remedy="Put the work folder on a file system that all machines share",
            )
        return step

    def save(self, step: int, log: StepLog) -> None:
        """Write the state after ``step`` updates; every process has to call it."""
        if self.directory is None:
            return
        state = collect(self.updater.trainable, self.updater.states, self.updater.numbers)
        if distributed.rank() == 0:
            log.flush()
            save(self.directory, step, self.identity, state)
        distributed.barrier()


def _found(directory: Path) -> list[Path]:
    return sorted(directory.glob("step" + "[0-9]" * 8), reverse=True)


def _load(state: State, trainable: Trainable, kept: Kept) -> None:
    places = dict(zip(trainable.names, zip(trainable.parameters, trainable.shares, strict=True), strict=True))
    with torch.no_grad():
        for name, (parameter, part) in places.items():
            part.copy_(cut(state.weights[name], parameter))
    trainable.publish()
    for full_key, value in (*state.moments.items(), *state.numbers.items()):
        holder, key, name = full_key.split("/", 2)
        parameter, part = places[name]
        if isinstance(value, Tensor):
            value = cut(value, parameter).to(part.device).clone()
        kept[holder][part][key] = value


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
