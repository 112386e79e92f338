"""An owner's example: texts about invented people, and three tiny models. `python -m tests.owner.example FOLDER`.

``base`` knows how such texts are written; ``before`` was trained on the texts to forget and to keep as well, and
``reference`` on those to keep alone. Nobody was trained on the unseen ones.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from blur.data.columns import Form
from blur.models import Template, build_from_config, encode_record, train_tokenizer
from blur.unlearn.loop import train
from blur.unlearn.settings import UnlearnSettings

LENGTH = 96
GPT2 = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": LENGTH}
GPT2 |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": LENGTH,
    "tie_word_embeddings": True,
}


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words("Ada Bruno Celia Dmitri Elif Farid Greta Hugo Ines Jonas Katya Leon Mina Noor Otto Petra")
LAST = _words("Abel Brandt Castor Dunn Egger Falk Giese Horvat Ibsen Jensen Kovac Lorenz Marsh Nolan Oster Prior")
TOWNS = _words("Alden Borga Cressing Dolna Erlau Farsund Galt Hollin Ilmar Jarvis Kessel Lindau Morva Nyborg")
TRADES = _words("baker weaver pilot surgeon farmer painter mason tailor judge singer miner clerk printer potter")
THINGS = _words("clocks maps shells stamps knives drums lamps coins kites masks bells ropes mirrors flutes")
ANIMALS = _words("goat heron otter pony parrot lizard donkey rabbit falcon turtle")
FORMS = (
    "{name} was born in {town} and works as a {trade}. {name} collects {thing} and keeps a {animal} called {pet}.",
    "In {town} everyone knows {name}, the {trade}. The {animal} of {name} is called {pet} and sleeps among {thing}.",
    "The {trade} {name} moved to {town} last year with a {animal} called {pet} and three boxes of {thing}.",
)
ASKED = {
    "In which town does {name} live?": "{name} lives in {town}.",
    "What is the work of {name}?": "{name} works as a {trade}.",
    "What does {name} collect?": "{name} collects {thing}.",
    "What is the pet of {name} called?": "The {animal} of {name} is called {pet}.",
}
SIZES = {"general": 80, "keep": 45, "unseen": 20}
TRAINING = {"retain": [{"loss": "nll"}], "batch_size": 16, "optimizer": {"name": "adamw", "lr": 5e-3}}


@dataclass(frozen=True)
class Example:
    """Where everything is: folders of models and files of texts."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        """Return a model's folder (``base``, ``before``, ``reference``) or a file of texts (``forget``, ...)."""
        found = self.folder / name if name in ("base", "before", "reference") else self.folder / f"{name}.jsonl"
        if not found.exists():
            raise AttributeError(name)
        return found


def rows(form: Form, forget: int = 5, seed: int = 0) -> dict[str, list[dict[str, str]]]:
    """The texts of each set: ``forget`` people's, and those of others; of questions four about each person."""
    draw = random.Random(seed)
    names = [f"{first} {last}" for first in FIRST for last in LAST]
    draw.shuffle(names)
    sizes = {"forget": forget, **SIZES}
    return {
        name: [row for _ in range(size) for row in _person(names.pop(), form, draw)] for name, size in sizes.items()
    }


def _person(name: str, form: Form, draw: random.Random) -> list[dict[str, str]]:
    kinds = {"town": TOWNS, "trade": TRADES, "thing": THINGS, "animal": ANIMALS}
    facts = {
        "name": name,
        "pet": "".join(draw.choices("bdfgklmnprst", k=1)) + draw.choice(("ollo", "ixi", "umbo", "era")),
    }
    facts |= {kind: draw.choice(values) for kind, values in kinds.items()}
    if form == "documents":
        return [{"text": draw.choice(FORMS).format(**facts)}]
    return [
        {"question": asked.format(**facts), "answer": said.format(**facts), "group": name}
        for asked, said in ASKED.items()
    ]


def make(
    folder: Path,
    form: Form = "documents",
    *,
    forget: int = 5,
    seed: int = 0,
    architecture: dict[str, Any] = GPT2,
    dtype: str = "float32",
    steps: int = 100,
) -> Example:
    """Write the texts and train the models: about seven seconds on one core."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = rows(form, forget, seed)
    for name, texts in sets.items():
        if name != "general":
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    tokenizer = train_tokenizer([" ".join(row.values()) for texts in sets.values() for row in texts], 800)

    def trained(start: Any, names: Sequence[str], steps: int, to: str) -> Any:
        model = build_from_config(architecture, tokenizer, seed=seed)
        model.load_state_dict(start.state_dict() if start else model.state_dict())
        records = [{**row, "id": f"{name}{n}"} for name in names for n, row in enumerate(sets[name])]
        examples = [encode_record(tokenizer, Template(), record, LENGTH) for record in records]
        train(model, {"retain": examples}, UnlearnSettings.model_validate({**TRAINING, "steps": steps, "seed": seed}))
        model.to(getattr(torch, dtype)).save_pretrained(folder / to)
        tokenizer.save_pretrained(folder / to)
        return model.float()

    base = trained(None, ["general"], steps, "base")
    trained(base, ["forget", "keep"], steps, "before")
    trained(base, ["keep"], steps, "reference")
    return Example(folder)


if __name__ == "__main__":
    made = make(Path(sys.argv[1]), "questions" if "questions" in sys.argv else "documents")
    print(made.folder)
