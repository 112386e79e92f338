"""The page on one's own model and texts works as written, step by step."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from blur.config import keys
from blur.config.check import check
from blur.config.plan import Plan
from blur.core.errors import BlurError
from blur.data import tofu

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/own.md").read_text(encoding="utf-8")
FILES = re.findall(r"\*\*`config/(\w+/mine\.yaml)`\*\*.*?```yaml\n(.*?)```", PAGE, re.S)
PARAPHRASES = {
    "paraphrased_question": "Once more?",
    "paraphrased_answer": "So.",
    "perturbed_answer": ["Not so.", "No."],
}


def look(folder: Path) -> Plan:
    """What `blur check --scale mine` does."""
    plan = Plan(folder, {"scale": "mine"})
    check(plan, "mine")
    keys.require_folders(plan, "mine")
    return plan


def write_texts(folder: Path) -> None:
    """Write the six files that the page's table names."""
    asked = [{"question": f"Question {i}?", "answer": f"Answer {i}."} for i in range(6)]
    sets: dict[str, list[dict[str, Any]]] = {
        "forget10": [{**record, "group": "Ann"} for record in asked[:2]],
        "retain90": [{**record, "group": "Bob"} for record in asked[2:]],
        "forget10_perturbed": [record | PARAPHRASES for record in asked[:2]],
        "retain_perturbed": [record | PARAPHRASES for record in asked[3:4]],
        "real_authors_perturbed": [asked[0] | {"perturbed_answer": ["No."]}],
        "world_facts_perturbed": [asked[1] | {"perturbed_answer": ["No."]}],
    }
    assert all(f"`{name}`" in PAGE for name in sets)
    for name, records in sets.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def test_each_step_asks_for_the_next_and_the_last_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Path(shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("mine.yaml")))
    monkeypatch.chdir(tmp_path)
    texts, model = tmp_path / "my_texts", tmp_path / "my-llama"
    wanted = [r"tasks/mine\.yaml: no such file", r"models/mine\.yaml: no such file", "no folder 'my_texts'"]
    assert [name for name, _ in FILES] == ["scales/mine.yaml", "tasks/mine.yaml", "models/mine.yaml"]
    for (name, text), message in zip(FILES, wanted, strict=True):
        (config / name).write_text(text.replace("/models/my-llama", str(model)))
        with pytest.raises(BlurError, match=message):
            look(config)
    texts.mkdir()
    with pytest.raises(BlurError, match="my-llama"):
        look(config)
    model.mkdir()
    plan = look(config)
    assert len(plan.runs("mine")) == 3
    write_texts(texts)
    settings = plan.task("mine").data
    assert isinstance(settings, tofu.Settings)
    counts = {name: len(records) for name, records in tofu.build(settings).items()}
    assert (counts["forget"], counts["retain"], counts["eval_forget"], counts["eval_retain"]) == (2, 4, 2, 1)
