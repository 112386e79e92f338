"""The combinations of the training loop as plain functions: ``blur.combine.bilevel(g_f, g_r, gamma=1.0)``.

Each file of ``blur.unlearn.combine`` that makes its update of the two gradients alone is one, under its name;
``dir(blur.combine)`` lists them. Those that keep a state, read the losses or make two steps are for
``blur.TwoGradients``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from blur.core.choice import available, build, find
from blur.core.words import described
from blur.unlearn.combine.base import Combination, Statistics

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "blur.unlearn.combine"


class Combined(NamedTuple):
    """An update.

    Attributes:
        update: u, one tensor for each parameter; None for zero.
        statistics: its geometry: norms, cosines, xi.
    """

    update: list[Tensor | None]
    statistics: Statistics


@dataclass(frozen=True)
class CombineFunction:
    """A combination of two sets of gradients."""

    kind: type[Combination]

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """What the combination is, and its settings."""
        return described(self.kind, but=("name", "momentum"))

    def __call__(
        self,
        g_f: Sequence[Tensor | None],
        g_r: Sequence[Tensor | None],
        *,
        names: Sequence[str] | None = None,
        **settings: Any,
    ) -> Combined:
        """Return the update that takes the place of a gradient: a step goes against it. Neither gradient is changed.

        Args:
            g_f: the gradient of the forget loss, one tensor for each parameter or None for zero; complete: over all of
                the batch, and over all processes.
            g_r: that of the retain loss.
            names: of the parameters, where ``projection`` is by module.
            settings: of the combination, as in a method's YAML, such as ``gamma``.

        Raises:
            ValueError: no such setting.
            NonFiniteGradient: a gradient holds NaN or infinity.
        """
        combination: Any = build(PACKAGE, "Combine", {"name": _name(self.kind), **settings})
        own = [None if one is None else one.clone() for one in g_r]
        return Combined(*combination.combine(list(g_f), own, names or [str(place) for place in range(len(own))]))


def _name(kind: type[Combination]) -> str:
    return kind.__module__.rpartition(".")[2]


def _is_plain(kind: type[Combination]) -> bool:
    """Whether the two gradients are all that it reads."""
    return kind.combine is not Combination.combine and kind.moves is Combination.moves


def __getattr__(name: str) -> CombineFunction:
    if not name.startswith("_") and name in available(PACKAGE):
        kind: type[Combination] = find(PACKAGE, "Combine", name)
        if _is_plain(kind):
            return CombineFunction(kind)
        raise AttributeError(f"{name!r} is more than a function of two gradients: use blur.TwoGradients")
    raise AttributeError(f"module {__name__!r} has no combination {name!r}; there are {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return [name for name in available(PACKAGE) if _is_plain(find(PACKAGE, "Combine", name))]
