"""The sets of LUME, the data of SemEval-2025 task 4 (arXiv 2502.15097, 2504.02883), from files or a generated world.

Trained on are ``forget_documents`` and ``retain_documents``, whole texts, and ``forget_questions`` and
``retain_questions``, with their answers: the target of the task had learned all rows. Scored are, of each task and
side, ``<side>_<task>_completion`` and ``<side>_<task>_question``, the same rows as they are published.
``holdout_documents`` are in no training; attacks on membership hold ``forget_documents`` against them. The task keeps
its own such texts to itself, so some of the retain file's stand in for them.

``general`` (texts), ``practice`` (how questions are answered) and ``mmlu`` (questions of four options) are about
invented subjects, those of ``blur.data.benchmarks.wmdp.world``: a model from scratch knows nothing else. They stand in
for MMLU; without subjects they are empty.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from blur.core.errors import DataError
from blur.core.settings import Whole
from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.lume import world
from blur.data.benchmarks.lume.published import published_documents
from blur.data.benchmarks.lume.rows import evaluated
from blur.data.benchmarks.lume.settings import SIDES, TASKS, LocalSource, Task, WorldSource
from blur.data.benchmarks.wmdp import world as subjects
from blur.data.benchmarks.wmdp.settings import WorldSource as Subjects
from blur.data.checks import check_disjoint, check_ids

Sets = dict[str, list[Any]]

TRAINED = tuple(f"{side}_{kind}" for side in ("forget", "retain") for kind in ("documents", "questions"))
SCORED = tuple(
    f"{side}_{task}_{kind}" for side in ("forget", "retain") for task in TASKS for kind in ("completion", "question")
)
GENERAL = {"general": "retain", "practice": "practice", "mmlu": "mmlu"}
SET_NAMES = (*TRAINED, "holdout_documents", *SCORED, *GENERAL)
MAX_SUBJECTS, NUM_ENTITIES = 8, 16
_REMEDY = "Remove it from one of the two sets: a text cannot be both forgotten and kept, and one held out is neither"


class Data(DataBase):
    """The sets of LUME, whatever their source."""

    name: Literal["lume"] = "lume"
    set_names: ClassVar = SET_NAMES
    source: Annotated[LocalSource | WorldSource, Field(discriminator="kind")]
    tasks: tuple[Task, ...] = Field(TASKS, min_length=1, description="those taken; the sets of another are empty")
    num_subjects: Whole = Field(
        4, le=MAX_SUBJECTS, description="general subjects that both trainings learn, and `mmlu` asks about; 0: none"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Data:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("`tasks` names a task twice")
        return self

    def build(self) -> Sets:
        """Build and check all sets.

        Errors:
            DataError: a file, record or overlap is at fault; names the place and the remedy.
        """
        source = self.source
        known = (
            world.generate(source, self.tasks)
            if isinstance(source, WorldSource)
            else published_documents(source, self.tasks)
        )
        sets: Sets = {name: [] for name in SET_NAMES}
        for side in SIDES:
            told = [document for task in self.tasks for document in known[side].get(task, ())]
            sets[f"{side}_documents"] = [document.text for document in told]
            if side != "holdout":
                sets[f"{side}_questions"] = [record for document in told for record in document.questions]
                sets |= evaluated(side, known[side])
        sets |= self._general(source.seed if isinstance(source, WorldSource) else 0)
        _check(sets)
        return {name: sets[name] for name in SET_NAMES}

    def describe(self) -> dict[str, float]:
        """Return the known chance levels of the built sets: all questions of ``mmlu`` have four options."""
        return {"accuracy": 1 / subjects.NUM_CHOICES} if self.num_subjects else {}

    def _general(self, seed: int) -> Sets:
        if not self.num_subjects:
            return {}
        size = {"num_subjects": self.num_subjects, "num_entities": NUM_ENTITIES}
        asked = Subjects.model_validate({"kind": "world", "seed": seed, **size})
        made = subjects.generate(asked, ())
        return {name: made[other] for name, other in GENERAL.items()}


def _check(sets: Sets) -> None:
    """Check that what is forgotten, kept and held out shares nothing, and that nothing trained on is missing."""
    for name in TRAINED:
        if not sets[name]:
            raise DataError("no records", f"set {name!r}", "Check the source of the data and its `tasks`")
    for name, records in sets.items():
        check_ids(name, records)
    for kind in ("documents", "questions"):
        check_disjoint(sets, f"forget_{kind}", f"retain_{kind}", _REMEDY)
    for side in ("forget", "retain"):
        check_disjoint(sets, f"{side}_documents", "holdout_documents", _REMEDY)
