"""The model fine-tuned on what is to be forgotten alone: the other end of a task vector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from blur.core.choice import Axis
from blur.core.settings import Count, Flag, Positive, Seed
from blur.derived.base import DerivedBase, Source
from blur.unlearn.optimizers.base import OptimizerBase
from blur.unlearn.schedule import Schedule
from blur.unlearn.settings import UnlearnSettings

OPTIMIZER = {"name": "adamw", "lr": 1e-5}


class Derived(DerivedBase):
    """A model's folder; the recipe is MUSE's code's (arXiv 2407.06460): ten epochs, AdamW at 1e-5, half a cosine."""

    streams: ClassVar = ("forget",)
    resources: ClassVar = "train"
    name: Literal["forget_tuned"] = "forget_tuned"
    epochs: Count = 10
    batch_size: Count = 32
    accumulation: Count = 1
    gradient_checkpointing: Flag = False
    optimizer: Annotated[OptimizerBase, Axis("blur.unlearn.optimizers", "Optimizer")] = Field(
        OPTIMIZER, validate_default=True
    )
    schedule: Schedule = Schedule(name="cosine")
    max_grad_norm: Positive | None = None
    master_weights: Flag = False
    seed: Seed = 0

    @property
    def recipe(self) -> UnlearnSettings:
        """Plain fine-tuning on the forget stream."""
        return UnlearnSettings.model_validate(
            {**self.model_dump(exclude={"name"}), "retain": [{"stream": "forget", "loss": "nll"}]}
        )

    def make(self, source: Source, folder: Path) -> list[str]:
        """Train, and store the model."""
        loaded = source.load()
        return source.train(loaded, {"forget": source.examples(loaded, "forget")}, self.recipe)

    def read(self, folder: Path) -> Path:
        """Return the folder, for the loader."""
        return folder
