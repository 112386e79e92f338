"""What `blur init` writes of one's own model and texts is sound, and what the page says of it holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.check import check
from blur.config.plan import Plan
from blur.config.sources import require_folders
from blur.config.task import Run
from blur.core.errors import BlurError, ConfigError, DataError
from blur.core.shipped import find
from blur.data.benchmarks import tofu
from blur.models import build_from_config, train_tokenizer
from blur.owner.own_graph import init
from blur.planner.inputs import read_inputs
from blur.workflow.resources import Needs
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/own.md").read_text(encoding="utf-8")
PLANTED = "Whortleberry"
TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|pad|>{% endfor %}"
CHAT = TURNS + "{% if add_generation_prompt %}assistant: {% endif %}"
PARAPHRASES = {
    "paraphrased_question": "Once more?",
    "paraphrased_answer": "So.",
    "perturbed_answer": ["Not so.", "No."],
}


def write_texts(folder: Path) -> dict[str, str | None]:
    """Write a file to forget and one to keep, in two of the page's forms; return them by what they are."""
    folder.mkdir()
    (folder / "private.csv").write_text(f'Frage;Antwort\n"{PLANTED} 0?";"Answer; 0."\nQuestion 1?;Answer 1.\n')
    turns = ([("user", f"Question {i}?"), ("assistant", f"Answer {i}.")] for i in (2, 3))
    kept = [{"messages": [{"role": role, "content": said} for role, said in pair]} for pair in turns]
    (folder / "rest.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    return {"forget": str(folder / "private.csv"), "keep": str(folder / "rest.jsonl"), "unseen": None}


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
    """Write a tiny model."""
    tokenizer = train_tokenizer(["Question 1? Answer 1. Not so."] * 5, 300)
    tokenizer.chat_template = chat_template
    fields = {**tiny.ARCHITECTURES["llama"], "max_position_embeddings": 512}
    build_from_config(fields, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def test_what_is_written_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "my-llama", chat_template=CHAT)
    texts, work = write_texts(tmp_path / "texts"), tmp_path / "work"
    forget = Path(str(texts["forget"]))
    with pytest.raises(DataError, match="what is to be read is not clear"):
        init(work, str(tmp_path / "my-llama"), texts)
    assert not work.exists(), "nothing half-written"
    forget.write_text(forget.read_text().replace("Frage;Antwort", "question;answer"))
    init(work, str(tmp_path / "my-llama"), texts)
    written = {path.relative_to(work).as_posix() for path in (work / "config").rglob("*.yaml")}
    assert set(re.findall(r"^\| `(config/.+?)` \|", PAGE, re.M)) == written
    monkeypatch.chdir(work)
    plan = Plan()
    for name in plan.tasks:
        check(plan, name)
        require_folders(plan, name)
    Needs(plan).check()
    told = read_inputs(plan, "mine")
    assert told[-1] == f"mine: {tmp_path}/my-llama: an answer ends with '<|pad|>'; a generation stops at '<|eos|>' too"
    assert told[0].startswith("mine: texts/forget.csv: CSV separated by semicolons, 2 rows: 2 questions with answers")
    assert {run.method for run in plan.runs("mine")} == {"graddiff", "npo_gdr", "simnpo", "blur_npo"}
    assert len(plan.attacks.pairs("mine")) == 10, "two attacks on the target and on four methods"
    assert {name: len(records) for name, records in plan.task("mine").data.build().items()} == {
        "forget": 2,
        "retain": 2,
        "holdout": 0,
    }
    ours = [path for path in work.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in ours if PLANTED in path.read_text()] == []
    assert (work / "slurm/config.yaml").is_file()
    assert "scale=paper" not in (work / "slurm/config.yaml").read_text(), "the folder has a scale of its own"
    with pytest.raises(ConfigError, match="there is something already"):
        init(work, str(tmp_path / "my-llama"), texts)


def test_its_own_configuration_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "model", chat_template=None)
    (tmp_path / "texts").mkdir()
    for name in ("forget", "keep"):
        (tmp_path / f"{name}.txt").write_text(f"A document to {name}.")
    init(tmp_path / "work", str(tmp_path / "model"), {name: f"{tmp_path}/{name}.txt" for name in ("forget", "keep")})
    monkeypatch.chdir(tmp_path / "work")
    assert Plan().task("mine").config.benchmark == "documents"
    gammas = []
    for gamma in (None, 7.0):
        if gamma:
            method = yaml.safe_load(find("config/methods/blur_npo.yaml").read_text())
            method["settings"]["combine"]["gamma"] = gamma
            Path("config/methods").mkdir()
            Path("config/methods/blur_npo.yaml").write_text(yaml.safe_dump(method))
        settings: Any = Plan().method_settings(Run("mine", "blur_npo", "default", 0))
        gammas.append(settings.combine.gamma)
    assert gammas[1] == 7.0 != gammas[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"forget": "none.csv"}, r"--forget none\.csv: no such file or folder"),
        ({"model": "./none"}, "there is no such folder"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    given = write_texts(tmp_path / "texts")
    forget = Path(str(given["forget"]))
    forget.write_text(forget.read_text().replace("Frage;Antwort", "question;answer"))
    model = changed.pop("model", str(tmp_path))
    with pytest.raises(BlurError, match=message):
        init(tmp_path / "work", model, {**given, **changed})
    assert not (tmp_path / "work").exists()


def test_tofu_s_measures_take_the_six_files_of_the_page(tmp_path: Path) -> None:
    write_sets(tmp_path)
    (settings,) = re.findall(r"`data: ({split: forget10,.*?}})`", PAGE, re.S)
    data = tofu.Data.model_validate(yaml.safe_load(settings.replace("my_texts", str(tmp_path))))
    counts = {name: len(records) for name, records in data.build().items()}
    assert (counts["forget"], counts["retain"], counts["eval_forget"], counts["eval_retain"]) == (2, 4, 2, 1)
