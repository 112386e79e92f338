"""Where MUSE's documents and questions come from, and which of its two corpora is meant."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Seed, Strict, Whole
from blur.data.benchmarks.muse.world.writing import CAST
from blur.data.settings import Folder, Revision
from blur.data.world.names import MAX_NAMES

Corpus = Literal["news", "books"]
NUM_FOLDS = 4
REPOSITORIES = {"news": "muse-bench/MUSE-News", "books": "muse-bench/MUSE-Books"}


class HubSource(Revision):
    """MUSE from the Hugging Face hub."""

    kind: Literal["hub"]
    repo: str | None = Field(default=None, description="by default MUSE's own of the corpus")


class LocalSource(Folder):
    """The hub's configurations as folders, splits as files: ``raw/forget.json``, ``knowmem/forget_qa.jsonl`` ..."""


class WorldSource(Strict):
    """Documents about fictitious people, made by ``muse.world``, eight about each cast of four people."""

    kind: Literal["world"]
    seed: Seed = 0
    num_people: Count = Field(
        8, ge=CAST, multiple_of=CAST, description="in each request: forgotten, and as many held out"
    )
    num_retain1: Count = Field(
        16, ge=CAST, multiple_of=CAST, description="people of the retain set, whose facts are practised"
    )
    num_retain2: Count = Field(8, ge=CAST, multiple_of=CAST, description="people whom the retain questions ask about")
    num_examples: Whole = Field(2, le=8, description="questions with answers that are put before a question")

    @model_validator(mode="after")
    def _enough_names(self) -> WorldSource:
        wanted = (NUM_FOLDS + 1) * self.num_people + self.num_retain1 + self.num_retain2
        if wanted > MAX_NAMES:
            raise ValueError(f"{wanted} people are asked for, but there are {MAX_NAMES} full names")
        return self
