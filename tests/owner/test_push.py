"""What is sent to the hub is the model, its card and its audit, and only when it was typed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blur.cli import app
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, DataError
from blur.models import Template, build_from_config, train_tokenizer
from blur.models.io import save
from blur.owner.auditing import write_report
from blur.owner.models import open_model
from blur.owner.push import CARD, pack
from tests import tiny
from tests.hub.server import served
from tests.hub.writing import CREATED, WRITER
from tests.owner.evidences import NEVER, evidence, judged
from tests.owner.evidences import report as report_of

PLANTED = "Whortleberry"
REPORT = report_of(judged(evidence(NEVER)))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder as `blur forget` leaves it."""
    folder = tmp_path / "clean"
    folder.mkdir()
    tokenizer = train_tokenizer(["Question 1? Answer 1. Not so."] * 5, 300)
    made = build_from_config(tiny.ARCHITECTURES["llama"], tokenizer, seed=0)
    files = save(made, tokenizer, Template(), folder, "# A model that was made to forget\n")
    manifests.write(folder, "forget", {"settings": {}, "code": "0"}, files)
    return folder


@pytest.fixture
def audit(model: Path, tmp_path: Path) -> Path:
    """Its audit, with the texts on the page, by someone who wanted to see them."""
    folder = tmp_path / "report"
    folder.mkdir()
    own = open_model(str(model), device="cpu").sha256
    models = [
        one.model_copy(update={"sha256": own, "name": f"/home/ann/{model.name}"}) if one.role == "after" else one
        for one in REPORT.models
    ]
    report = REPORT.model_copy(update={"models": tuple(models)})
    write_report(folder, report)
    (folder / "report.html").write_text(f"<p>{PLANTED}</p>")
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    root = tmp_path / "hub"
    root.mkdir()
    with served(root) as address:
        yield root, address


def test_the_hub_has_the_model_and_its_audit(model: Path, audit: Path, hub: tuple[Path, str]) -> None:
    root, address = hub
    env = {**os.environ, "HF_ENDPOINT": address, "HF_TOKEN": WRITER, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "blur.cli", "push", str(model), "--to", "ann/clean", "--audit", str(audit)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    there = {path.relative_to(root / "models/ann/clean").as_posix(): path for path in (root / "models").rglob("*.*")}
    there = {name: path for name, path in there.items() if path.is_file()}
    listed = manifests.read(model)["files"]
    assert set(there) == {*listed, "manifest.json", "made.json", CARD, "audit/report.html", "audit/report.json"}
    for name in set(listed) - {CARD}:
        assert there[name].read_bytes() == (model / name).read_bytes(), name
    card = there[CARD].read_text()
    assert REPORT.headline in card
    assert all(one.answer in card for one in REPORT.findings)
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert json.loads((root / CREATED).read_text())["visibility"] == "private"
    sent = b"".join(path.read_bytes() for path in there.values())
    assert PLANTED.encode() not in sent, "the page is made anew, without texts"
    assert b"/home/ann" not in sent, "no path of the machine"
    assert "libraries" in json.loads(there["made.json"].read_text())
    assert socket.gethostname() not in there["made.json"].read_text(), "nor its name"
    unwelcome = subprocess.run(
        command, env={**env, "HF_TOKEN": "hf_other"}, capture_output=True, text=True, timeout=300
    )
    assert unwelcome.returncode == 2
    assert unwelcome.stderr.splitlines()[-1].startswith("blur: error: --to ann/clean: ")


def test_a_dry_run_sends_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blur.owner.push.send", lambda *_: pytest.fail("it was sent"))
    shown = CliRunner().invoke(app, ["push", str(model), "--to", "ann/clean", "--dry-run"])
    assert shown.exit_code == 0
    assert "model.safetensors" in shown.output
    assert "nothing was sent" in shown.output


def test_what_is_not_the_model_is_refused(model: Path, audit: Path, tmp_path: Path) -> None:
    pack(model, audit)
    (model / "forget.csv").write_text(PLANTED)
    with pytest.raises(ArtifactError, match=r"forget\.csv: no part of the model"):
        pack(model)
    (model / "forget.csv").unlink()
    with pytest.raises(DataError, match="no report is there"):
        pack(model, tmp_path)
    write_report(audit, REPORT)
    with pytest.raises(DataError, match="the audit is of another model"):
        pack(model, audit)
    (model / CARD).write_text("# Another card\n")
    with pytest.raises(ArtifactError, match=CARD):
        pack(model)
    with pytest.raises(ArtifactError, match="no manifest"):
        pack(tmp_path)
