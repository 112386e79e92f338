"""The sets of the WMDP benchmark (Li et al., arXiv 2403.03218) from the hub, from files, or a generated world.

Text sets: ``<topic>_forget``, ``<topic>_retain`` (its harmless neighbours) and ``retain`` (general text; WikiText-2's
test split, which the authors retain for every topic). Choice sets: ``wmdp_bio``, ``wmdp_cyber``, ``wmdp_chem`` and
``mmlu``, whose records have a ``topic`` (the subject), and ``mmlu_dev``, MMLU's few-shot examples by subject.
``practice``, in the world only, holds completion records: how questions are answered, about what is neither forgotten
nor asked in an evaluation.

Empty are the sets of a topic that is not chosen; ``wmdp_chem`` in the world, which has no third craft (WMDP has no
corpus for chemistry either); ``practice`` outside the world; ``mmlu`` and ``mmlu_dev`` from files; and the neighbours
of published data unless asked for. On the hub the choice sets are what lm-eval's own tasks of these names read by
themselves; here they serve the tasks of config/lm_eval.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from blur.core.errors import DataError
from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.wmdp import world
from blur.data.benchmarks.wmdp.published import published_sets
from blur.data.benchmarks.wmdp.settings import HubSource, LocalSource, Topic, WorldSource
from blur.data.checks import check_disjoint, check_ids

Sets = dict[str, list[Any]]

TOPICS = ("bio", "cyber")
SET_NAMES = (
    *(f"{topic}_{part}" for topic in TOPICS for part in ("forget", "retain")),
    "retain",
    "wmdp_bio",
    "wmdp_cyber",
    "wmdp_chem",
    "mmlu",
    "mmlu_dev",
    "practice",
)
_REMEDY = "Remove it from one of the two sets: a text cannot be both forgotten and kept"


class Data(DataBase):
    """The sets of the WMDP benchmark, whatever their source."""

    name: Literal["wmdp"] = "wmdp"
    set_names: ClassVar = SET_NAMES
    source: Annotated[LocalSource | HubSource | WorldSource, Field(discriminator="kind")]
    topics: tuple[Topic, ...] = Field(
        ("bio", "cyber"), min_length=1, description="what is forgotten; the sets of another topic are empty"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Data:
        if len(set(self.topics)) < len(self.topics):
            raise ValueError("`topics` names a topic twice")
        return self

    def build(self) -> Sets:
        """Build and check all sets of a task.

        Errors:
            DataError: a file, record or overlap is at fault, or data cannot be had; names the place and the remedy.
        """
        source = self.source
        made = (
            world.generate(source, self.topics)
            if isinstance(source, WorldSource)
            else published_sets(source, self.topics)
        )
        sets: Sets = {name: made.get(name, []) for name in SET_NAMES}
        for name in ("retain", *(f"{topic}_forget" for topic in self.topics)):
            if not sets[name]:
                raise DataError("no records", f"set {name!r}", "Check the source of the data, and `min_characters`")
        for name, records in sets.items():
            check_ids(name, records)
        for topic in self.topics:
            check_disjoint(sets, f"{topic}_forget", "retain", _REMEDY)
        return sets

    def describe(self) -> dict[str, float]:
        """Return the known chance levels of the built sets: all questions have four options."""
        return {"accuracy": 1 / world.NUM_CHOICES}
