"""locuslab/TOFU: JSON lines, a file a configuration, all in the split ``train``.

Fewer authors than the real 200: four to forget (an author for each of four requests) and eight to keep, 20 questions
each or as many as are asked for; the rows are real ones where the files are at hand.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hub.published.cards import Rows, card, lines
from tests.hub.published.words import name, sentence
from tests.hub.repository import write

REPOSITORY = "locuslab/TOFU"
FORGET, RETAIN, GENERAL = 4, 8, 12  # authors, and general questions
Load = Callable[[str], list[dict[str, Any]]]


def build(root: Path, real: Path | None, questions: int = 20) -> None:
    """Write the repository; ``real`` is the folder of the published files, ``questions`` how many of an author."""
    kept, gone = RETAIN * questions, FORGET * questions
    load = _generated if real is None else lambda name: _read(real / f"{name}.json")
    forget, retain = load("forget10")[-gone:], load("retain90")[:kept]
    perturbed = load("forget10_perturbed")[-gone:]
    files: dict[str, Rows] = {"full": [*retain, *forget], "retain_perturbed": load("retain_perturbed")[:questions]}
    for percent, authors in ((1, 1), (5, 2), (10, 4)):
        cut = gone - authors * questions
        files[f"forget{percent:02d}"], files[f"forget{percent:02d}_perturbed"] = forget[cut:], perturbed[cut:]
        files[f"retain{100 - percent}"] = [*retain, *forget[:cut]]
    for general in ("real_authors", "world_facts"):
        files[general], files[f"{general}_perturbed"] = load(general)[:GENERAL], load(f"{general}_perturbed")[:GENERAL]
    told = {configuration: {"train": f"{configuration}.json"} for configuration in files}
    content = {f"{configuration}.json": lines(rows) for configuration, rows in files.items()}
    write(root, "datasets", REPOSITORY, {"README.md": card(told, default="full"), **content})


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _generated(configuration: str) -> list[dict[str, Any]]:
    made = configuration.removesuffix("_perturbed")
    count = {"forget10": FORGET * 20, "retain90": RETAIN * 20, "retain": RETAIN * 20}.get(made, GENERAL)
    draw = random.Random("retain90" if made == "retain" else made)  # these repeat the first questions of retain90
    rows = [_row(draw, number) for number in range(count)]
    if configuration.endswith("_perturbed"):
        return rows
    return [{key: row[key] for key in ("question", "answer")} for row in rows]


def _row(draw: random.Random, number: int) -> dict[str, Any]:
    author, said = name(draw), [sentence(draw) for _ in range(7)]
    return {
        "question": f"What did {author} write in year {1900 + number}?",
        "answer": said[0],
        "paraphrased_answer": said[1],
        "perturbed_answer": said[2:],
        "paraphrased_question": f"In year {1900 + number}, which words were {author}'s?",
    }
