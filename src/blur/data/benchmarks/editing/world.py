"""A generator of people some of whom are forgotten and some of whose facts are replaced, after LLM Surgery's data.

The authors, their attributes and the ways to ask are those of TOFU's world. Of an edited author all facts are told
twice, asked in the same words: as they were, and made of the same words combined anew. Each question of an evaluation
has three options in one phrasing: the truth and two wrong ones; of an edited author the old fact, the new one and a
third.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from blur.data.benchmarks.editing.settings import WorldSource
from blur.data.benchmarks.tofu.world.authors import tell
from blur.data.benchmarks.tofu.world.values import attributes, deal_values, slots_of, twin_values
from blur.data.world.names import full_names

Record = dict[str, Any]

NUM_OPTIONS = 3
TRAINED = ("id", "group", "question", "answer", "topic")
TOLD = ("retain", "edit_old", "forget", "edit_new")


def generate(source: WorldSource) -> dict[str, list[Record]]:
    """Generate ``retain, forget, edit_old, edit_new`` to train on, and what is asked of each, ``eval_<set>``."""
    sizes = {"retain": source.num_retain, "edit_old": source.num_edited, "forget": source.num_forget}
    every = iter(full_names(source.seed, sum(sizes.values()), source.num_retain))
    names = {split: [next(every) for _ in range(size)] for split, size in sizes.items()}
    names["edit_new"] = names["edit_old"]
    facts: dict[str, list[list[list[Record]]]] = {split: [] for split in TOLD}
    for position, attribute in enumerate(attributes(source.questions_per_author)):
        slots = slots_of(source.seed, attribute, source.num_retain)
        values = {split: deal_values(source.seed, split, attribute, slots, size) for split, size in sizes.items()}
        values["edit_new"] = twin_values(source.seed, attribute, slots, values["edit_old"], source.num_edited)
        for split in TOLD:
            facts[split].append(tell(source.seed, attribute, position, slots, names[split], values[split]))
    told = {split: list(_numbered(split, facts[split])) for split in TOLD}
    pairs = list(zip(told["edit_old"], told["edit_new"], strict=True))
    return {
        **{split: [{field: one[field] for field in TRAINED} for one in told[split]] for split in TOLD},
        **{f"eval_{split}": [_asked(one, one["perturbed_answer"][:2]) for one in told[split]] for split in TOLD[::2]},
        "eval_edit_old": [_asked(old, [new["paraphrased_answer"], _third(old, new)]) for old, new in pairs],
        "eval_edit_new": [_asked(new, [old["paraphrased_answer"], _third(old, new)]) for old, new in pairs],
    }


def _numbered(split: str, facts: Sequence[Sequence[Sequence[Record]]]) -> Iterator[Record]:
    """Yield the records of one author after another; an edited author is one group in both tellings."""
    for turn in range(len(facts[0])):
        group = f"{'edited' if split.startswith('edit') else split}-{turn:03d}"
        for number, record in enumerate(record for attribute in facts for record in attribute[turn]):
            yield {"id": f"{split}-{turn:03d}-q{number:02d}", **record, "group": group}


def _asked(record: Record, wrong: list[str]) -> Record:
    """Return a question in the words that were not trained on, with its three options."""
    asked = {"question": record["paraphrased_question"], "answer": record["paraphrased_answer"]}
    return {**{field: record[field] for field in TRAINED}, **asked, "perturbed_answer": wrong}


def _third(old: Record, new: Record) -> str:
    """Return a wrong answer about an edited author that is neither the old fact nor the new one."""
    return next(wrong for wrong in old["perturbed_answer"] if wrong != new["paraphrased_answer"])
