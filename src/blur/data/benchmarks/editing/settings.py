"""How large a world of people is, some of whom are forgotten and some of whose facts are replaced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Seed, Strict
from blur.data.benchmarks.tofu.world.values import MAX_QUESTIONS
from blur.data.world.names import MAX_NAMES


class WorldSource(Strict):
    """Fictitious authors, made as those of TOFU's world are."""

    kind: Literal["world"]
    seed: Seed = 0
    num_forget: Count = Field(8, description="authors that are only forgotten")
    num_edited: Count = Field(8, description="authors whose facts are replaced")
    num_retain: Count = Field(40, ge=10)
    questions_per_author: Count = Field(20, ge=2, le=MAX_QUESTIONS, multiple_of=2)

    @model_validator(mode="after")
    def _enough_names(self) -> WorldSource:
        wanted = self.num_forget + self.num_edited + self.num_retain
        if wanted > MAX_NAMES:
            raise ValueError(f"{wanted} people are asked for, but there are {MAX_NAMES} full names")
        return self
