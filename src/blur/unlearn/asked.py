"""What a choice on an axis asks to be made beforehand. Imports no torch."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Asked(NamedTuple):
    """Something derived from a model: a file of ``blur.derived``, and whose model.

    By default it is the model that the run starts from; else that of another run of the same task and seed, or the
    task's model of a role.
    """

    kind: str
    method: str = ""
    variant: str = "default"
    role: Literal["", "retrained"] = ""
