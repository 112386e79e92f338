"""A world to edit: people to forget, people whose facts are replaced, people to keep (LLM Surgery, arXiv 2409.13054).

Text sets: ``forget``; ``edit_old`` and ``edit_new``, the facts of the same people before and after; ``retain``.
``eval_<set>`` asks about each in other words, with three options: ``answer`` and two of ``perturbed_answer``. The
paper's own data (Wikipedia biographies of 238 people and fictitious ones that GPT-4 wrote) are not read here.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.editing import world
from blur.data.benchmarks.editing.settings import WorldSource
from blur.data.checks import check_sets

SET_NAMES = (*world.TOLD, *(f"eval_{name}" for name in world.TOLD))


class Data(DataBase):
    """The sets of the editing world."""

    name: Literal["editing"] = "editing"
    set_names: ClassVar = SET_NAMES
    texts_in: ClassVar = {"perturbed_answer": world.NUM_OPTIONS - 1}
    source: WorldSource

    def build(self) -> dict[str, list[Any]]:
        """Build and check all sets of a task."""
        sets = world.generate(self.source)
        check_sets(sets, SET_NAMES)
        return {name: sets[name] for name in SET_NAMES}

    def describe(self) -> dict[str, float]:
        """Return the known chance level of the built sets: all questions have three options."""
        return {"accuracy": 1 / world.NUM_OPTIONS}
