"""WMDP's questions and corpora, of which bio's is gated; MMLU and WikiText as they are published.

cais/wmdp has a configuration a field, in Parquet, with one split ``test``; cais/wmdp-corpora a file of JSON lines a
corpus; cais/mmlu a configuration a subject, ``all`` and ``auxiliary_train``, each with ``test``, ``validation`` and
``dev`` (``question, subject, choices, answer``), the answer a class label.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Features, List, Value

from tests.hub.published.cards import Rows, card, in_parquet, lines, parquet
from tests.hub.published.words import sentence, text
from tests.hub.repository import write

FIELDS = ("bio", "chem", "cyber")
CORPORA = ("bio-retain-corpus", "cyber-forget-corpus", "cyber-retain-corpus")
QUESTIONS, DOCUMENTS, SPLITS = 6, 24, {"test": 2, "validation": 1, "dev": 5}
GATED = "cais/wmdp-bio-forget-corpus"
LETTERS = "ABCD"
MMLU = Features(
    {
        "question": Value("string"),
        "subject": Value("string"),
        "choices": List(Value("string")),
        "answer": ClassLabel(names=list(LETTERS)),
    }
)


def build(root: Path) -> None:
    """Write all five repositories."""
    fields = {f"wmdp-{field}": {"test": _questions(field, QUESTIONS)} for field in FIELDS}
    write(root, "datasets", "cais/wmdp", in_parquet(fields))
    corpora = {f"{name}.jsonl": lines(_documents(name)) for name in CORPORA}
    told = {name: {"train": f"{name}.jsonl"} for name in CORPORA}
    write(root, "datasets", "cais/wmdp-corpora", {"README.md": card(told), **corpora})
    gated = {"default": {"train": "data/train-*"}}
    rows = [{"title": text(row["text"], 1), "abstract": "", **row, "doi": "10.0/0"} for row in _documents("bio-forget")]
    files = {"README.md": card(gated), "data/train-00000-of-00001.parquet": parquet(rows)}
    write(root, "datasets", GATED, files).behave(gated=True)
    write(root, "datasets", "cais/mmlu", _mmlu())
    wikitext = {split: _wikitext(split) for split in ("test", "train", "validation")}
    write(root, "datasets", "Salesforce/wikitext", in_parquet({"wikitext-2-raw-v1": wikitext}))


def _documents(name: str) -> Rows:
    return [{"text": text(f"{name} {number}", 10)} for number in range(DOCUMENTS)]


def _questions(name: str, count: int) -> list[dict[str, Any]]:
    draw = random.Random(name)
    return [
        {
            "answer": draw.randrange(4),
            "question": sentence(draw)[:-1] + "?",
            "choices": [sentence(draw, 3) for _ in LETTERS],
        }
        for _ in range(count)
    ]


def _wikitext(split: str) -> Rows:
    blank = [{"text": ""}, {"text": " = A heading = \n"}]
    return [*blank, *({"text": f" {text(f'wikitext {split} {number}', 5)} \n"} for number in range(DOCUMENTS))]


def subjects() -> list[str]:
    """Return MMLU's subjects, as the installed lm-eval names them."""
    import lm_eval.tasks

    folder = Path(lm_eval.tasks.__file__).parent / "mmlu" / "default"
    return sorted(path.stem.removeprefix("mmlu_") for path in folder.glob("mmlu_*.yaml"))


def _mmlu() -> dict[str, bytes]:
    names, files = subjects(), dict[str, bytes]()
    rows = {
        split: {name: [{**row, "subject": name} for row in _questions(f"{name} {split}", count)] for name in names}
        for split, count in SPLITS.items()
    }
    for split, by_subject in rows.items():
        everything = [row for found in by_subject.values() for row in found]
        for name, found in {**by_subject, "all": everything}.items():
            files[f"{name}/{split}-00000-of-00001.parquet"] = parquet(found, MMLU.arrow_schema)
    told = {name: {split: f"{name}/{split}-*" for split in SPLITS} for name in (*names, "all")}
    return {"README.md": card(told), **files}
