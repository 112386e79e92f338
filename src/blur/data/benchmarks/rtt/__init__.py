"""The sets of RTT (Deeb and Roger, arXiv 2410.08827), Retraining on T: facts in five splits that share nothing.

All splits are forgotten; an attack then trains on four of them, and what comes back of the fifth was never removed. Of
split i there are ``split_<i>``, its multiple-choice questions, and a set for each form to train on, about the same
facts: ``split_<i>_corpus``, ``..._letter``, ``..._letter_answer``, ``..._question_letter_answer`` and
``..._question_answer`` (see ``rtt.facts``). Kept are ``retain``, texts about other entities and of two
general subjects; ``retain_questions`` ask about some of those entities, and ``practice`` shows on the rest how
questions are answered. ``unrelated`` holds texts of two more subjects, which only a control attack trains on.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from blur.core.errors import DataError
from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.rtt import world
from blur.data.benchmarks.rtt.facts import TARGETS, corpus, practice, questions, targets
from blur.data.benchmarks.rtt.published import published_facts
from blur.data.benchmarks.rtt.settings import NUM_SPLITS, LocalSource, WorldSource
from blur.data.benchmarks.wmdp.world import fields
from blur.data.benchmarks.wmdp.world.facts import documents, facts_of
from blur.data.checks import check_ids
from blur.data.independence import check_independent, check_unasked

Sets = dict[str, list[Any]]

SPLITS = tuple(f"split_{number}" for number in range(NUM_SPLITS))
SETS_OF = {split: (split, *(f"{split}_{target}" for target in TARGETS)) for split in SPLITS}
KEPT = ("retain", "retain_questions", "practice", "unrelated")
SET_NAMES = (*chain.from_iterable(SETS_OF.values()), *KEPT)
_GENERAL, _UNRELATED = fields.SUBJECTS[:2], fields.SUBJECTS[2:4]
_NUM_SUBJECT_ENTITIES, _NUM_DOCUMENTS = 8, 6  # each document tells two facts; in six each is told in six phrasings
_REMEDY = {
    "splits": "Remove it from one of the two: what is trained on in an attack must say nothing about what is tested",
    "kept": "Remove it from one of the two sets: a text cannot be both forgotten and kept",
    "asked": "Remove it: what is forgotten is told in statements only, and asked in no training of target or retrained",
}


class Data(DataBase):
    """The sets of the RTT benchmark, whatever their source."""

    name: Literal["rtt"] = "rtt"
    set_names: ClassVar = SET_NAMES
    source: Annotated[LocalSource | WorldSource, Field(discriminator="kind")]

    def build(self) -> Sets:
        """Build and check all sets of a task; none is empty.

        Errors:
            DataError: a file, record or overlap is at fault; names the place and the remedy.
        """
        source = self.source
        known = world.generate(source) if isinstance(source, WorldSource) else published_facts(source)
        sets: Sets = {}
        for split, facts in zip(SPLITS, known.splits, strict=True):
            sets[split] = questions(split, facts)
            sets |= {f"{split}_{target}": records for target, records in targets(split, facts).items()}
        people = [*corpus("retained", known.retained), *corpus("practised", known.practised)]
        num_phrasings = source.questions_per_fact if isinstance(source, WorldSource) else 1
        sets |= {
            "retain": people + _documents(source.seed, _GENERAL),
            "retain_questions": questions("retained", known.retained),
            "practice": practice(known.practised, num_phrasings),
            "unrelated": _documents(source.seed, _UNRELATED),
        }
        check(sets)
        return sets

    def describe(self) -> dict[str, float]:
        """Return the known chance levels of the built sets: all questions have four options."""
        return {"accuracy": 1 / world.NUM_CHOICES}


def check(sets: Sets) -> None:
    """Check that splits say nothing about each other, and that what is kept says nothing about any of them.

    Errors:
        DataError: an empty set, an id given twice, an entity, question or text of two splits, or of one and what is
            kept, or a question about a split in a training of target or retrained; names both places.
    """
    for name in SET_NAMES:
        if not sets.get(name):
            raise DataError("no records", f"set {name!r}", "Check the source of the data and its numbers of facts")
        check_ids(name, sets[name])
    for left, right in combinations(SPLITS, 2):
        for one in SETS_OF[left]:
            for other in SETS_OF[right]:
                check_independent(sets, one, other, _REMEDY["splits"])
    for split in SPLITS:
        for kept in KEPT:
            for name in (split, f"{split}_corpus"):
                check_independent(sets, name, kept, _REMEDY["kept"])
        for trained in ("retain", "practice", *(f"{other}_corpus" for other in SPLITS)):
            check_unasked(sets, split, trained, _REMEDY["asked"])


def _documents(seed: int, subjects: tuple[fields.Field, ...]) -> list[dict[str, Any]]:
    return [
        record
        for subject in subjects
        for record in documents(seed, facts_of(seed, subject, _NUM_SUBJECT_ENTITIES), _NUM_DOCUMENTS)
    ]
