"""`blur rank`: a row for each method that is stored, from metrics, manifests and what lies beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError
from blur.core.files import write_json
from blur.workflow import rank

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stored(method: str, forget: float, utility: float, steps: int | None = None) -> None:
    """A finished run, and what its model took."""
    folders = [Path("results/study", phase, "tofu", method, "default/seed0") for phase in ("metrics", "models")]
    for folder in folders:
        folder.mkdir(parents=True)
    metrics = {"forget_probability": forget, "model_utility": utility, "composite": utility - forget}
    about = {"composite": {"direction": "higher"}, "forget_probability": {"direction": "lower"}}
    identity = {"task": "tofu", "method": method, "variant": "default", "seed": 0}
    settings = {} if steps is None else {"title": method.upper(), "family": "npo", "optimizer": {"lr": 1e-3}}
    write_json(folders[0] / "metrics.json", {**identity, "settings": settings, "metrics": metrics, "about": about})
    manifests.write(folders[0], "metrics", {}, ["metrics.json"])
    (folders[1] / "steps.jsonl").write_text('{"step": 1}\n' * (steps or 0))
    cost = {"cpu_seconds": 12.4, "wall_seconds": 20.0, "peak_memory_bytes": 300 * 2**20}
    made = {"cost": cost, "commit": "0123456789abcdef"}
    facts = {} if steps is None else {"training": {"steps": 100}}
    manifests.write(folders[1], "unlearn", {}, ["steps.jsonl"] * (steps is not None), made, **facts)


def plan() -> Plan:
    return Plan(ROOT / "config", {"scale": "study", "task": "tofu"})


def rows(page: str) -> dict[str, dict[str, str]]:
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    header, _, *body = ([cell.strip() for cell in line] for line in lines)
    return {row[0]: dict(zip(header, row, strict=True)) for row in body}


def test_a_row_has_what_a_method_did_and_what_it_took() -> None:
    stored("target", 0.9, 0.8)
    stored("retrained", 0.1, 0.8)
    stored("npo_gdr", 0.5, 0.8, steps=100)
    stored("blur_npo", 0.1, 0.6, steps=99)
    page = rank.text(plan(), "tofu", "composite")
    assert " 4 of " in page
    assert "`simnpo`" in page.partition("Not there yet: ")[2].partition("\n")[0]
    assert "`npo_gdr`" not in page
    assert "commit `0123456789ab`." in page
    assert "blur rank --task tofu --scale study --by composite" in page
    found = rows(page)
    assert list(found) == ["Target", "Retrained", "BLUR_NPO", "NPO_GDR"]
    first, second = found["BLUR_NPO"], found["NPO_GDR"]
    assert (first["Score ↑"], second["Score ↑"]) == ("0.875", "0.750")
    assert (first["Updates"], second["Updates"]) == ("99 of 100", "100")
    assert (first["Passes"], first["Rate"], first["CPU s"], first["Peak MiB"]) == ("2", "0.001", "12", "300")
    assert first["Forget probability ↓"] == "**0.100**"
    assert list(rows(rank.text(plan(), "tofu")))[2:] == ["BLUR_NPO", "NPO_GDR"]


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"no results yet.*make run SCALE=study TASK=tofu"):
        rank.text(plan(), "tofu")
    with pytest.raises(ConfigError, match=r"--by: no column 'composit'. Did you mean 'composite'"):
        rank.text(plan(), "tofu", "composit")
    with pytest.raises(ConfigError, match=r"--to: no folder 'nowhere'"):
        rank.write(plan(), "tofu", "score", Path("nowhere/page.md"))
