"""BLUR: bi-level unlearning for language models, with its baselines, attacks and evaluation as one graph.

In Python: ``blur.forget`` and ``blur.audit`` do what the commands do, on models in memory; ``blur.losses`` and
``blur.combine`` are the training loop's losses and updates as plain functions; ``blur.TwoGradients`` is its step in a
loop of one's own (docs/tutorial.md). Importing this imports none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blur import combine, losses
    from blur.owner.api import audit, forget
    from blur.two_gradients import TwoGradients

__version__ = "0.1.0"
__all__ = ["TwoGradients", "audit", "combine", "forget", "losses"]

# Where each lives that is not a module itself.
_LAZY = {"TwoGradients": "blur.two_gradients", "audit": "blur.owner.api", "forget": "blur.owner.api"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name) if name in _LAZY else import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
