"""What something derived is: settings, what it reads, and a way to make it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from blur.core.choice import Choice
from blur.core.files import read_json, write_json
from blur.core.settings import Seed, Share

if TYPE_CHECKING:
    from blur.measure.run import Suite
    from blur.models import LoadedModel
    from blur.models.encode import Example
    from blur.unlearn.settings import UnlearnSettings

PACKAGE = "blur.derived"
SUBSET = "subset.json"


@dataclass(frozen=True)
class Source:
    """The model that something is derived from, and what is at hand beside it.

    Attributes:
        directory: the model's, its manifest checked.
        load: returns a fresh copy of the model, verified.
        examples: returns the training examples of one of the streams that the kind reads.
        steps: returns the records of the steps that made the model, verified.
        suite: returns what is measured at epochs' ends, for a loaded model, where the kind ``measures``.
        train: runs the training loop on a loaded model; the trained one is saved into the folder that is being made.
        derived: returns what was made of one of the kinds that this one asks for, as its ``read`` does.
    """

    directory: Path
    load: Callable[[], LoadedModel]
    steps: Callable[[], list[dict[str, Any]]]
    examples: Callable[[LoadedModel, str], list[Example]]
    suite: Callable[[LoadedModel], Suite]
    train: Callable[[LoadedModel, Mapping[str, Sequence[Example]], UnlearnSettings], list[str]]
    derived: Callable[[str], Any]


class DerivedBase(Choice):
    """One kind of thing that methods ask for, with its settings.

    Attributes:
        streams: those of the request whose sets it reads; where there are none, all requests share one.
        asks: kinds that have to be made before it, of the same model and request.
        of_alternates: whether it counts the alternates too that the method compares with the answers.
        measures: whether it measures the model as is done at epochs' ends, on the same records.
        reads_weights: whether it looks at the model itself, not only at the log of its steps.
        resources: what a job asks for, a key of ``config/resources.yaml``.
        passes: forward passes over the streams, for the cost model.
        replaces: the stream whose texts it takes the place of, where a method says so (``texts``); `read` then returns
            what makes the new texts of the old ones.
    """

    streams: ClassVar[tuple[str, ...]] = ()
    asks: ClassVar[tuple[str, ...]] = ()
    of_alternates: ClassVar[bool] = False
    measures: ClassVar[bool] = False
    reads_weights: ClassVar[bool] = True
    resources: ClassVar[str] = "evaluate"
    passes: ClassVar[int] = 0
    replaces: ClassVar[str] = ""

    @property
    def recipe(self) -> UnlearnSettings | None:
        """How it is trained on its streams; None where nothing is."""
        return None

    @property
    def modules(self) -> list[str]:
        """Modules that the settings name, for the code fingerprint."""
        return sorted({type(self).__module__, *(self.recipe.modules if self.recipe else [])})

    def unfit(self, source: Any) -> str | None:
        """Return why nothing can be made of a run's model, where its method's settings tell; None if they do not."""
        return None

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write it to ``folder``; return the names of the files."""
        raise NotImplementedError

    def read(self, folder: Path) -> Any:
        """Return what a method that asks for it gets; the files are checked already."""
        raise NotImplementedError


class SubsetBase(DerivedBase):
    """Some of the texts that are kept, by their ids; they keep their order."""

    streams: ClassVar = ("retain",)
    replaces: ClassVar = "retain"
    share: Share = 0.25
    seed: Seed = 0

    def size(self, count: int) -> int:
        """Return how many of ``count`` texts are taken; at least one."""
        return max(1, round(self.share * count))

    def write(self, folder: Path, ids: Sequence[str]) -> list[str]:
        """Write the ids; return the file's name in a list."""
        write_json(folder / SUBSET, list(ids))
        return [SUBSET]

    def read(self, folder: Path) -> Callable[[Sequence[Example]], list[Example]]:
        """Return what takes the subset out of a stream's texts."""
        ids = frozenset(read_json(folder / SUBSET))
        return lambda examples: [example for example in examples if example.id in ids]
