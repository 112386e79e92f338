"""Resume state: whole or absent, the two latest kept, and refused if it belongs to another run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from blur.core.errors import ArtifactError
from blur.core.files import read_json, write_json

_KEPT = 2


def save(
    directory: Path,
    step: int,
    identity: str,
    names: Sequence[str],
    parameters: Sequence[nn.Parameter],
    optimizer: Optimizer,
) -> None:
    """Write the state after ``step`` updates under ``directory``: to a temporary folder, flushed, then renamed.

    Args:
        identity: hash of everything that the run is a function of.
        names, parameters: the trainable parameters.
    """
    final = directory / f"step{step:08d}"
    temporary = directory / f".{final.name}.tmp"
    for leftover in directory.glob(".step*.tmp"):
        shutil.rmtree(leftover)
    temporary.mkdir(parents=True)
    weights = {name: parameter.detach().contiguous() for name, parameter in zip(names, parameters, strict=True)}
    moments, numbers = _optimizer_state(names, parameters, optimizer)
    save_file(weights, temporary / "model.safetensors")
    save_file(moments, temporary / "optimizer.safetensors")
    write_json(temporary / "state.json", {"step": step, "identity": identity, "optimizer": numbers})
    for path in (*temporary.iterdir(), temporary):
        _flush(path)
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)
    _flush(directory)
    for old in _found(directory)[_KEPT:]:
        shutil.rmtree(old)


def restore(
    directory: Path, identity: str, names: Sequence[str], parameters: Sequence[nn.Parameter], optimizer: Optimizer
) -> int:
    """Load the newest readable state into the parameters and the optimizer; return its step, 0 if there is none.

    Raises:
        ArtifactError: the state there belongs to another run.
    """
    for path in _found(directory):
        try:
            state = read_json(path / "state.json")
            weights = load_file(path / "model.safetensors")
            moments = load_file(path / "optimizer.safetensors")
        except (OSError, ValueError, SafetensorError):
            continue
        if state["identity"] != identity:
            raise ArtifactError(
                "the checkpoint was made with other settings, data or start weights",
                where=str(path),
                remedy="Remove the folder, or go back to the settings it was made with",
            )
        _load(names, parameters, optimizer, weights, moments, state["optimizer"])
        return state["step"]
    return 0


def _found(directory: Path) -> list[Path]:
    return sorted(directory.glob("step" + "[0-9]" * 8), reverse=True)


def _optimizer_state(
    names: Sequence[str], parameters: Sequence[nn.Parameter], optimizer: Optimizer
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for name, parameter in zip(names, parameters, strict=True):
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{key}/{name}"] = value.contiguous()
            elif value is not None:
                numbers[f"{key}/{name}"] = value
    return tensors, numbers


def _load(
    names: Sequence[str],
    parameters: Sequence[nn.Parameter],
    optimizer: Optimizer,
    weights: dict[str, Tensor],
    moments: dict[str, Tensor],
    numbers: dict[str, Any],
) -> None:
    by_name = dict(zip(names, parameters, strict=True))
    with torch.no_grad():
        for name, parameter in by_name.items():
            parameter.copy_(weights[name])
    for full_key, value in (*moments.items(), *numbers.items()):
        key, name = full_key.split("/", 1)
        parameter = by_name[name]
        if isinstance(value, Tensor):
            value = value.to(parameter.device).clone()
        optimizer.state[parameter][key] = value


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
