"""Where TOFU's authors and questions come from, and how many authors are forgotten."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.errors import DataError
from blur.core.settings import Count, Seed, Strict, Whole
from blur.data.benchmarks.tofu.world.general import MAX_WORLD_FACTS, NUM_WRONG
from blur.data.benchmarks.tofu.world.values import MAX_QUESTIONS
from blur.data.settings import Folder, Repository
from blur.data.world.names import MAX_NAMES

Split = Literal["forget01", "forget05", "forget10"]
PERCENT = {"forget01": 1, "forget05": 5, "forget10": 10}


class _Published(Strict):
    num_authors: Count | None = Field(
        None, ge=2, description="authors in both trainings' data, forget and retain together; all of them by default"
    )
    num_holdout_authors: Whole = Field(0, description="authors left out of both trainings, besides `num_authors`")
    questions_per_author: Count = Field(20, description="consecutive records that make one author")


class LocalSource(_Published, Folder):
    """TOFU's files in a folder, as published: ``forget10.json``, ``retain90.json``, ``forget10_perturbed.json`` ..."""


class HubSource(_Published, Repository):
    """TOFU from the Hugging Face hub."""

    kind: Literal["hub"]
    repo: str = "locuslab/TOFU"


class WorldSource(Strict):
    """Fictitious authors made by ``blur.data.benchmarks.tofu.world``."""

    kind: Literal["world"]
    seed: Seed = 0
    num_authors: Count = Field(40, ge=10, description="forget and retain authors together")
    num_holdout_authors: Count = Field(8, description="authors outside both trainings, besides `num_authors`")
    questions_per_author: Count = Field(20, ge=2, le=MAX_QUESTIONS, multiple_of=2)
    num_real_authors: Count = Field(20, gt=NUM_WRONG, description="questions about well-known authors")
    num_world_facts: Count = Field(24, le=MAX_WORLD_FACTS, description="questions about geography")

    @model_validator(mode="after")
    def _enough_names(self) -> WorldSource:
        wanted = self.num_authors + self.num_holdout_authors + self.num_real_authors
        if wanted > MAX_NAMES:
            raise ValueError(f"{wanted} people are asked for, but there are {MAX_NAMES} full names")
        return self


def num_forget_authors(split: str, num_authors: int) -> int:
    """Return how many of ``num_authors`` a split forgets: 1, 5 or 10 percent, a whole number of authors."""
    percent = PERCENT[split]
    count, rest = divmod(num_authors * percent, 100)
    if rest:
        step = 100 // percent
        raise DataError(
            f"{percent}% of {num_authors} authors is no whole number of authors",
            f"split {split}",
            f"Set num_authors to a multiple of {step}, or choose another split",
        )
    return count
