"""The sets of the MUSE benchmark (Shi et al., arXiv 2407.06460) from the hub, from files, or a generated world.

Text sets: ``forget``; ``retain1``, kept while unlearning; ``retain2``, learned by target and retrained alike;
``holdout``, in no training; ``privleak_forget``, ``privleak_retain``, ``privleak_holdout``; ``scal_forget_1..4``,
larger and larger, and ``sust_forget_1..4``, one after another (MUSE has them for News). Completions: ``verbmem``.
Questions: ``forget_qa``, ``retain_qa``, and their few-shot examples ``..._icl``. In the world only: ``folds``, the
documents of later requests, and ``practice``, which shows how questions are answered; both trainings learn them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from blur.core.errors import DataError
from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.muse import world
from blur.data.benchmarks.muse.published import published_sets
from blur.data.benchmarks.muse.settings import NUM_FOLDS, Corpus, HubSource, LocalSource, WorldSource
from blur.data.checks import check_disjoint, check_ids

Sets = dict[str, list[Any]]

FOLDS = range(1, NUM_FOLDS + 1)
SET_NAMES = (
    *("forget", "folds", "retain1", "retain2", "holdout", "practice"),
    *("verbmem", "forget_qa", "retain_qa", "forget_qa_icl", "retain_qa_icl"),
    *("privleak_forget", "privleak_retain", "privleak_holdout"),
    *(f"{request}_forget_{fold}" for request in ("scal", "sust") for fold in FOLDS),
)
REQUIRED = ("forget", "retain1", "verbmem", "forget_qa", "retain_qa")
_REMEDY = {
    "kept": "Remove it from one of the two sets: a text cannot be both forgotten and kept",
    "held out": "Remove it from one of the two sets: membership tests need texts outside both trainings",
}


class Data(DataBase):
    """The sets of the MUSE benchmark, whatever their source."""

    name: Literal["muse"] = "muse"
    set_names: ClassVar = SET_NAMES
    source: Annotated[LocalSource | HubSource | WorldSource, Field(discriminator="kind")]
    corpus: Corpus

    @property
    def edition(self) -> str:
        """The corpus."""
        return self.corpus

    def build(self) -> Sets:
        """Build and check all sets of a task; those that the source does not have are empty.

        Errors:
            DataError: a file, record or overlap is at fault, or data cannot be had; names the place and the remedy.
        """
        source = self.source
        made = (
            _from_world(source, self.corpus) if isinstance(source, WorldSource) else published_sets(source, self.corpus)
        )
        sets: Sets = {name: made.get(name, []) for name in SET_NAMES}
        for name in REQUIRED:
            if not sets[name]:
                raise DataError("no records", f"set {name!r}", "Check the source of the data")
        for name, records in sets.items():
            check_ids(name, records)
        for kept in ("retain1", "retain2", "folds", "practice"):
            check_disjoint(sets, "forget", kept, _REMEDY["kept"])
            check_disjoint(sets, "holdout", kept, _REMEDY["held out"])
        return sets

    def describe(self) -> dict[str, float]:
        """Return the known chance levels of the built sets (see ``world.chance``); empty for published data."""
        source = self.source
        if not isinstance(source, WorldSource):
            return {}
        num_kept = source.num_retain1 + source.num_retain2 + (NUM_FOLDS - 1) * source.num_people
        return world.chance(self.corpus, num_kept)


def _from_world(source: WorldSource, corpus: str) -> Sets:
    """Return the world's sets, with those that repeat its documents: requests, continuations, membership."""
    sets: Sets = world.generate(corpus=corpus, **source.model_dump(exclude={"kind"}))
    size = len(sets["forget"])
    documents = [*sets["forget"], *sets["folds"]]
    for fold in FOLDS:
        sets[f"sust_forget_{fold}"] = documents[(fold - 1) * size : fold * size]
        sets[f"scal_forget_{fold}"] = documents[: fold * size]
    privleak = {"forget": "forget", "retain": "retain2", "holdout": "holdout"}
    sets |= {f"privleak_{name}": sets[other] for name, other in privleak.items()}
    return {**sets, "verbmem": [halved(record) for record in sets["forget"]]}


def halved(record: dict[str, Any]) -> dict[str, Any]:
    """Return a document as the first half of its words to be continued with the second."""
    text = record["text"]
    starts = [place for place, (a, b) in enumerate(pairwise(text), start=1) if b.isspace() and not a.isspace()]
    cut = starts[(len(starts) - 1) // 2]
    return {"id": record["id"], "prompt": text[:cut], "gt": text[cut:], "group": record["group"]}
