"""Where the facts of the RTT benchmark come from, and how many there are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Seed, Strict
from blur.data.settings import Folder
from blur.data.world.pools import FIRST_NAMES, LAST_NAMES, PROFESSORS

NUM_SPLITS = 5
SURNAMES = (*LAST_NAMES, *PROFESSORS)
MAX_NAMES = len(FIRST_NAMES) * len(SURNAMES)


class _Source(Strict):
    seed: Seed = 0
    num_facts_per_split: Count = Field(40, description="facts to forget in each of the five splits")
    num_retained: Count = Field(60, description="facts of other entities that are kept and asked about")
    num_practised: Count = Field(100, description="facts of further entities, on which answering is practised")


class WorldSource(_Source):
    """Invented people and the years of their births, made by ``blur.data.benchmarks.rtt.world``."""

    kind: Literal["world"]
    questions_per_fact: Count = Field(
        3, le=4, description="phrasings in which a practised fact is asked, in each of three forms"
    )

    @model_validator(mode="after")
    def _enough_names(self) -> WorldSource:
        wanted = NUM_SPLITS * self.num_facts_per_split + self.num_retained + self.num_practised
        if wanted > MAX_NAMES:
            raise ValueError(f"{wanted} people are asked for, but there are {MAX_NAMES} full names")
        return self


class LocalSource(Folder, _Source):
    """The authors' files in a folder: ``split_<i>.jsonl``, ``corpus_split_<i>.jsonl`` of five splits, ``dev.jsonl``."""
