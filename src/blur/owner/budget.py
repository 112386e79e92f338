"""How long forgetting may take: a number of updates, or a time that is converted into one once, and then recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blur.core.errors import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_LEAST = 8  # updates of all trials
_MOST = 10**8  # updates, or seconds: three years


@dataclass(frozen=True)
class Budget:
    """Updates of all trials together, or seconds that they may take; neither: by the number of texts."""

    updates: int | None = None
    seconds: float | None = None

    def updates_at(self, update: float, look: float, per_epoch: int) -> int:
        """Return how many updates fit into the seconds, a look after each epoch included.

        Args:
            update, look: seconds of one.
        """
        assert self.seconds is not None
        return max(_LEAST, int(self.seconds / (update + look / per_epoch)))


def parse_budget(text: str | None) -> Budget:
    """Read ``10m``, ``90s``, ``2h``, or a number of updates.

    Raises:
        ConfigError: another form.
    """
    if text is None:
        return Budget()
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    amount = float(found[1]) * _UNITS.get(found[2], 1.0) if found else 0.0
    if found is None or (not found[2] and "." in found[1]) or not 0 < amount <= _MOST:
        remedy = "Write a time, as 10m, 90s or 2h; or a number of updates, as 240"
        raise ConfigError(f"{text!r} is no budget", "--budget", remedy)
    return Budget(seconds=amount) if found[2] else Budget(updates=max(int(found[1]), _LEAST))
