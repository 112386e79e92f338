"""An epoch chosen by its measurements: which one, what is told of it, and the same after any interruption."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from blur.cli import app
from blur.core.files import read_json
from blur.core.hashing import sha256_file
from blur.measurements import Measurements, read_epochs
from blur.stages import epochs as epochs_module
from blur.stages import unlearn
from tests.workflow import tiny_graph

EPOCHS, SCALE = 6, tiny_graph.SCALE
SELECT = {"name": "retrained", "metrics": ["forget_probability"]}
VARIANTS: dict[str, Any] = {
    "chosen": {"select": SELECT},
    "lora": {"select": SELECT, "wrapper": "lora", "optimizer": {"lr": 3e-2}},
    "never": {"select": SELECT, "optimizer": {"lr": 1e-9}},
}


def blur(*arguments: str) -> None:
    app([*arguments, "--task", "own", "--scale", SCALE], standalone_mode=False)


def unlearned(variant: str = "default") -> Path:
    blur("unlearn", "--method", "graddiff", "--variant", variant)
    return folder("models", variant)


def folder(phase: str, variant: str) -> Path:
    return Path(f"results/{SCALE}/{phase}/own/graddiff/{variant}/seed0")


def vary(**variants: Any) -> None:
    path = Path("config/methods/graddiff.yaml")
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, "variants": {**content["variants"], **variants}}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Target and retrained model, what is measured of the latter, and a whole run."""
    root = tmp_path_factory.mktemp("selection").resolve() / "checkout"
    tiny_graph.make(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        path = Path(f"config/scales/{SCALE}.yaml")
        scale = yaml.safe_load(path.read_text())
        runs = [{"methods": ["graddiff"], "variants": ["default", *VARIANTS], "seeds": [0]}]
        scale["tasks"]["own"] = {"train": {"epochs": 8, "batch_size": 2, "optimizer": {"lr": 3e-3}}}
        recipe = {"epochs": EPOCHS, "batch_size": 2, "optimizer": {"name": "adamw", "lr": 1e-3}}
        path.write_text(yaml.safe_dump({**scale, "runs": runs, "unlearn": recipe}))
        vary(**VARIANTS)
        main = Path("config/config.yaml")
        main.write_text(yaml.safe_dump({**yaml.safe_load(main.read_text()), "tracking": "disabled"}))
        for stage in ("data", "base", "train --role target", "train --role retrained"):
            blur(*stage.split())
        blur("derive", "epoch_measurements", "--method", "retrained")
        unlearned()
    return root


@pytest.fixture
def root(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copied = Path(shutil.copytree(trained, tmp_path / "checkout", symlinks=True))
    monkeypatch.chdir(copied)
    return copied


def probability(measured: Measurements) -> float:
    """The closed form of `forget_probability`."""
    texts = (one.logprob for one in measured.likelihood("eval_forget", "answer"))
    return float(np.mean([np.exp(np.mean(text)) for text in texts]))


def retrained() -> float:
    found = Path(f"results/{SCALE}/derived/epoch_measurements/own/own/retrained/default/seed0")
    return probability(Measurements.read(found))


def trajectory(variant: str) -> dict[int, float]:
    return {epoch: probability(found) for epoch, found in read_epochs(folder("epochs", variant)).items()}


def test_the_first_epoch_that_reaches_the_retrained_model_is_taken_and_the_run_ends_there(root: Path) -> None:
    values = trajectory("default")
    assert list(values) == list(range(EPOCHS + 1))
    first = next(epoch for epoch, value in values.items() if epoch and value <= retrained())
    assert 1 < first < EPOCHS, (values, retrained())
    model = unlearned("chosen")
    manifest = read_json(model / "manifest.json")
    told = {"value": values[first], "retrained": retrained(), "direction": "lower"}
    assert manifest["selected"] == {
        "epoch": first,
        "reached": True,
        "metrics": {"forget_probability": pytest.approx(told)},
    }
    assert trajectory("chosen") == {epoch: value for epoch, value in values.items() if epoch <= first}
    steps = manifest["training"]["steps"]
    assert steps * EPOCHS == manifest["training"]["planned_steps"] * first
    assert len((model / "steps.jsonl").read_text().splitlines()) == steps
    vary(short={"epochs": first})
    assert weights(model) == weights(unlearned("short")) != weights(folder("models", "default"))
    assert "selected" not in read_json(folder("models", "short") / "manifest.json")


def weights(model: Path) -> str:
    return sha256_file(model / "model.safetensors")


def test_a_rule_that_is_never_met_takes_the_last_and_says_so(root: Path) -> None:
    manifest = read_json(unlearned("never") / "manifest.json")
    assert (manifest["selected"]["epoch"], manifest["selected"]["reached"]) == (EPOCHS, False)
    assert manifest["training"]["steps"] == manifest["training"]["planned_steps"]
    for reference in ("target", "retrained"):
        blur("evaluate", "--method", reference)
    for stage in ("evaluate", "metrics"):
        blur(stage, "--method", "graddiff", "--variant", "never")
    settings = read_json(folder("metrics", "never") / "metrics.json")["settings"]
    assert settings["selected"] == manifest["selected"]


@pytest.mark.long
def test_an_adapter_s_epoch_is_chosen_too(root: Path) -> None:
    manifest = read_json(unlearned("lora") / "manifest.json")
    assert manifest["selected"]["reached"]
    assert manifest["selected"]["epoch"] == max(trajectory("lora")) < EPOCHS


class CutError(Exception):
    pass


@pytest.mark.parametrize("moment", ["after its measurements", "after its checkpoint"])
def test_a_run_that_is_cut_chooses_the_same(root: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weights(unlearned("chosen"))
    chosen = read_json(folder("models", "chosen") / "manifest.json")
    assert chosen["selected"]["epoch"] < EPOCHS
    for phase in ("models", "epochs"):
        shutil.rmtree(folder(phase, "chosen"))
    measure = epochs_module.EpochMeasurements.__call__

    def cut(self: Any, epoch: int, model: Any) -> None:
        measure(self, epoch, model)
        if epoch == chosen["selected"]["epoch"]:
            raise CutError

    def never(*_: Any) -> None:
        raise CutError

    with monkeypatch.context() as patch:
        if moment == "after its measurements":
            patch.setattr(epochs_module.EpochMeasurements, "__call__", cut)
        else:
            patch.setattr(unlearn, "save", never)
        with pytest.raises(CutError):
            unlearned("chosen")
    assert weights(unlearned("chosen")) == whole
    assert read_json(folder("models", "chosen") / "manifest.json") == chosen
