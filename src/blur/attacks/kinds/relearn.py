"""Relearning: fine-tune the unlearned model on a little text, and see what comes back (or is learned anew).

Each arm trains a fresh copy: on part of the forget set, on retained text, on text about something else; all weights, or
a low-rank adapter. Which of the two it was, coming back or learning, the same arm on the retrained model tells.
RTT (Deeb & Roger 2024, "Do Unlearning Methods Remove Information from Language Model Weights?") is this attack with
arms that train on four splits of facts and are judged on the fifth.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import COVERED, Point, entity, unknown
from blur.attacks.victim import Victim
from blur.core.choice import Axis
from blur.core.settings import Count, Flag, Positive, Seed, SetName, Share, Strict
from blur.core.words import said
from blur.models.wrappers import base as wrappers
from blur.models.wrappers.base import WrapperBase
from blur.unlearn.optimizers.base import OptimizerBase
from blur.unlearn.schedule import Schedule
from blur.unlearn.scopes.base import ScopeBase
from blur.unlearn.settings import UnlearnSettings

if TYPE_CHECKING:
    from blur.models import LoadedModel

Optimizer = Annotated[OptimizerBase, Axis("blur.unlearn.optimizers", "Optimizer")]
Wrapper = Annotated[WrapperBase, Axis(wrappers.PACKAGE, "Wrapper")]
Scope = Annotated[ScopeBase, Axis("blur.unlearn.scopes", "Scope")]
Record = dict[str, Any]
COMMON = {
    "batch_size",
    "accumulation",
    "gradient_checkpointing",
    "schedule",
    "max_grad_norm",
    "master_weights",
    "seed",
}


class Arm(Strict):
    """What one fine-tuning learns, and with which weights."""

    data: str = Field(description="one of the attack's `data`")
    fraction: Share = Field(1.0, description="of the entities in the data; the others stay unseen")
    scope: Scope = Field("all", validate_default=True)
    wrapper: Wrapper = Field("none", validate_default=True)
    optimizer: Optimizer | None = Field(None, description="instead of the attack's")


class Attack(AttackBase):
    """Fine-tuning, measured along the way."""

    name: Literal["relearn"] = "relearn"
    data: Mapping[str, Annotated[tuple[SetName, ...], Field(min_length=1)]] = Field(
        description="sets by name, such as `forget: [forget]`"
    )
    arms: Mapping[str, Arm]
    at: tuple[Count, ...] = Field(min_length=1, description="steps after which the model is measured")
    batch_size: Count = 8
    accumulation: Count = 1
    gradient_checkpointing: Flag = False
    optimizer: Optimizer = Field("adamw", validate_default=True)
    schedule: Schedule = Schedule()
    max_grad_norm: Positive | None = 1.0
    master_weights: Flag = Field(True, description="else bfloat16 rounds away most steps of an attack's small rates")
    seed: Seed = 0

    @model_validator(mode="after")
    def _consistent(self) -> Attack:
        if list(self.at) != sorted(set(self.at)):
            raise ValueError("`at` lists steps, each once, in rising order")
        for name, arm in self.arms.items():
            if arm.data not in self.data:
                raise ValueError(f"arm {name!r} learns {arm.data!r}, which `data` lacks: {', '.join(self.data)}")
            try:
                self.recipe(name)
            except ValidationError as error:
                raise ValueError(f"arm {name!r}: {said(error.errors(include_url=False)[0])}") from None
        return self

    @property
    def modules(self) -> list[str]:
        """Modules of the arms' recipes."""
        return sorted({type(self).__module__, *(one for arm in self.arms for one in self.recipe(arm).modules)})

    @property
    def num_points(self) -> int:
        """Each arm is measured several times."""
        return len(self.arms) * len(self.at)

    @property
    def trainings(self) -> list[tuple[UnlearnSettings, tuple[str, ...]]]:
        """One for each arm."""
        return [(self.recipe(name), self.data[arm.data]) for name, arm in self.arms.items()]

    def recipe(self, arm: str) -> UnlearnSettings:
        """Return an arm's fine-tuning as settings of the training loop."""
        chosen = self.arms[arm]
        common = self.model_dump(include=COMMON)
        recipe = {"optimizer": chosen.optimizer or self.optimizer, "steps": self.at[-1]}
        recipe |= {"scope": chosen.scope, "wrapper": chosen.wrapper}
        return UnlearnSettings.model_validate({**common, **recipe, "retain": [{"stream": "retain", "loss": "nll"}]})

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Fine-tune a fresh copy; the points are ``step<n>``."""
        from blur.unlearn.loop import train

        chosen, points = self.arms[arm], dict[str, Point]()
        records = part_of(victim.records(self.data[chosen.data]), chosen.fraction, self.seed)
        if not records:
            return {"": Point(None, {"reason": f"the task has no records of {', '.join(self.data[chosen.data])}"})}
        loaded = victim.load()
        used = frozenset(entity(record) for record in records)
        about = unknown(records)

        def on_step(record: dict[str, Any], total: int) -> None:
            step = record["step"]
            victim.progress(step, total, arm)
            if step in self.at:
                measured = victim.measure(loaded.model.eval())
                points[f"step{step}"] = Point(measured, {**about, "step": step, "loss": record["retain_loss"]}, used)

        result = train(loaded.model, _streams(victim, loaded, records), self.recipe(arm), on_step=on_step)
        for point in points.values():
            point.about[COVERED] = result.covered
        return points


def part_of(records: Sequence[Record], fraction: float, seed: int) -> list[Record]:
    """Return the records of a share of the entities, rounded up, drawn by ``seed``; a larger share holds a smaller.

    The small number keeps 0.07 of 100 entities from being 8 by rounding.
    """
    entities = sorted({entity(record) for record in records})
    random.Random(seed).shuffle(entities)
    kept = set(entities[: math.ceil(fraction * len(entities) - 1e-9)])
    return [record for record in records if entity(record) in kept]


def _streams(victim: Victim, loaded: LoadedModel, records: Sequence[Record]) -> dict[str, Any]:
    return {"retain": victim.examples(loaded, records)}
