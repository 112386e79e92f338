"""A model that is fetched needs no GPU, however many a training of its size would get: login nodes fetch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from blur.cli import app
from blur.core.files import read_json
from blur.models import build_from_config, save, train_tokenizer
from blur.models.settings import ModelSettings
from tests.tiny import ARCHITECTURES

ROOT = Path(__file__).resolve().parents[2]


def test_a_model_of_a_scale_on_gpus_is_fetched_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    tokenizer = train_tokenizer(["Who wrote it? Ann wrote it."], 300)
    model = build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0, dtype="float32")
    template = ModelSettings.model_validate(
        yaml.safe_load((ROOT / "config/models/llama-tiny.yaml").read_text())["model"]
    )
    save(model, tokenizer, template.template, tmp_path / "published", "A card.")
    scale = tmp_path / "config/scales/ci.yaml"
    scale.write_text(scale.read_text() + "device: cuda\n")
    task = tmp_path / "config/tasks/tofu.yaml"
    task.write_text(task.read_text() + "target: {kind: hub, name: ./published}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    typed = ["train", "--scale", "ci", "--task", "tofu", "--role", "target", "--gpus", "2"]
    app(typed, standalone_mode=False)
    manifest = read_json(tmp_path / "results/ci/models/tofu/target/default/seed0/manifest.json")
    assert "model.safetensors" in manifest["files"]
