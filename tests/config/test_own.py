"""The page on one's own model and texts works as written, step by step."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.check import check
from blur.config.plan import Plan
from blur.config.sources import require_folders
from blur.core.errors import BlurError
from blur.data.benchmarks import tofu
from blur.models import build_from_config, train_tokenizer
from blur.planner.inputs import read_inputs
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/own.md").read_text(encoding="utf-8")
FILES = re.findall(r"\*\*`config/(\w+/mine\.yaml)`\*\*.*?```yaml\n(.*?)```", PAGE, re.S)
TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|pad|>{% endfor %}"
CHAT = TURNS + "{% if add_generation_prompt %}assistant: {% endif %}"
PARAPHRASES = {
    "paraphrased_question": "Once more?",
    "paraphrased_answer": "So.",
    "perturbed_answer": ["Not so.", "No."],
}


def look(folder: Path) -> tuple[Plan, list[str]]:
    """What `blur check --scale mine` does, and the lines that it prints."""
    plan = Plan(folder, {"scale": "mine"})
    check(plan, "mine")
    require_folders(plan, "mine")
    return plan, read_inputs(plan, "mine")


def write_files(root: Path, model: Path | str) -> None:
    """Write the page's three files into a checkout, and the texts."""
    for name, text in FILES:
        (root / "config" / name).write_text(text.replace("/models/my-llama", str(model)))
    (root / "my_texts").mkdir()
    write_texts(root / "my_texts")


def write_texts(folder: Path) -> None:
    """Write a file to forget and one to keep, in two of the page's forms."""
    (folder / "forget.csv").write_text('question;answer\n"Question 0?";"Answer; 0."\nQuestion 1?;Answer 1.\n')
    turns = ([("user", f"Question {i}?"), ("assistant", f"Answer {i}.")] for i in (2, 3))
    kept = [{"messages": [{"role": role, "content": said} for role, said in pair]} for pair in turns]
    (folder / "keep.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))


def write_sets(folder: Path) -> None:
    """Write the six files that the page's last table names."""
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


def write_model(folder: Path, chat_template: str | None) -> None:
    """Write a tiny model that has the positions which the page's `max_length` asks for."""
    tokenizer = train_tokenizer(["Question 1? Answer 1. Not so."] * 5, 300)
    tokenizer.chat_template = chat_template
    fields = {**tiny.ARCHITECTURES["llama"], "max_position_embeddings": 512}
    build_from_config(fields, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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
    with pytest.raises(BlurError, match=r"my_texts: no file called 'forget', as forget.csv"):
        look(config)
    write_texts(texts)
    forget = texts / "forget.csv"
    forget.write_text(forget.read_text().replace("question;answer", "Frage;Antwort"))
    with pytest.raises(BlurError, match=r"forget.csv: what is to be read is not clear. Its columns: F••••, A••••••"):
        look(config)
    (columns,) = re.findall(r"`source: {\.\.\., (columns: .*?)}`", PAGE)
    task = config / FILES[1][0]
    task.write_text(task.read_text().replace("path: my_texts", f"path: my_texts, {columns}"))
    with pytest.raises(BlurError, match=r"my-llama: no config\.json"):
        look(config)
    write_model(model, chat_template=None)
    with pytest.raises(BlurError, match=r"models/mine\.yaml: model\.template\.use_chat_template: .* no chat template"):
        look(config)
    write_model(model, chat_template=CHAT)
    plan, told = look(config)
    assert told[-1] == f"mine: {model}: an answer ends with '<|pad|>'; a generation stops at '<|eos|>' too"
    understood = "CSV separated by semicolons, 2 rows: 2 questions with answers (question: 'Frage', answer: 'Antwort')"
    assert told[0] == f"mine: my_texts/forget.csv: {understood}"
    assert not [line for line in told if "Question" in line or "Answer" in line]
    assert len(plan.runs("mine")) == 3
    assert {name: len(records) for name, records in plan.task("mine").data.build().items()} == {
        "forget": 2,
        "retain": 2,
        "holdout": 0,
    }


def test_tofu_s_measures_take_the_six_files_of_the_page(tmp_path: Path) -> None:
    write_sets(tmp_path)
    (settings,) = re.findall(r"`data: ({split: forget10,.*?}})`", PAGE, re.S)
    data = tofu.Data.model_validate(yaml.safe_load(settings.replace("my_texts", str(tmp_path))))
    counts = {name: len(records) for name, records in data.build().items()}
    assert (counts["forget"], counts["retain"], counts["eval_forget"], counts["eval_retain"]) == (2, 4, 2, 1)
