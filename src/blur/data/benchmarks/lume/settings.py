"""Where LUME's documents come from, which of its tasks are taken, and how many documents there are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Seed, Strict, Whole
from blur.data.settings import Folder
from blur.data.world.names import MAX_NAMES

Task = Literal["task1", "task2", "task3"]
TASKS: tuple[Task, ...] = ("task1", "task2", "task3")
SIDES = ("forget", "retain", "holdout")
PEOPLE: dict[Task, int] = {"task1": 2, "task2": 1, "task3": 1}  # in a document of the world


class LocalSource(Folder):
    """The published files in a folder: ``forget.jsonl`` and ``retain.jsonl``."""

    num_documents: Count | None = Field(
        None, description="of each task to forget, and as many to keep; the first ones, all of them by default"
    )
    num_holdout: Whole = Field(
        0, description="of each task, the last ones of the retain file, left out of both trainings: for membership"
    )


class WorldSource(Strict):
    """Stories, dossiers and biographies of invented people, made by ``blur.data.benchmarks.lume.world``."""

    kind: Literal["world"]
    seed: Seed = 0
    num_documents: Count = Field(
        24, ge=4, description="of each task to forget; as many to keep, and as many in neither training"
    )

    @model_validator(mode="after")
    def _enough_names(self) -> WorldSource:
        wanted = len(SIDES) * sum(PEOPLE.values()) * self.num_documents
        if wanted > MAX_NAMES:
            raise ValueError(f"{wanted} people are asked for, but there are {MAX_NAMES} full names")
        return self
