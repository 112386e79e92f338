"""The bounded search over learning rate and stopping point: a pure function of what was measured so far.

The rule (docs/forget.md). A trial starts from the owner's model and looks at the losses after each pass over the texts
to forget. It ends at the first look at which the forget texts are as surprising as the reference says and the kept ones
no more surprising than allowed: that is the result. A trial that stays below the reference asks for a higher rate, one
that lost the kept texts for a lower one. Where no trial succeeds, the result is the look with the highest forget loss
among those at which the kept texts were fine; or there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TRIALS = 4
FACTOR = 3.0  # from one rate to the next, until a rate is between two
ALLOWED = math.log(1.1)  # nats a token that kept texts may lose in any case: their perplexity grows by a tenth
SHARE = 1 / 3  # or this part of what the forget texts are to lose, where that is more
HOPELESS = 1.0  # nats a token above what is allowed: a trial that has lost so much ends


@dataclass(frozen=True)
class Look:
    """What was measured after an epoch: mean loss of a text of each set, in nats a token."""

    epoch: int
    steps: int
    forget: float
    keep: float


@dataclass(frozen=True)
class Trial:
    """A learning rate, and what was seen with it."""

    rate: float
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A trial, by number from 0, and the epoch to stop after; whether that is as far as was asked for."""

    trial: int
    look: Look
    reached: bool


@dataclass(frozen=True)
class Rule:
    """What is asked for.

    Attributes:
        start: the losses of the model as it is.
        target: forget loss from which on the texts are as surprising as they should be.
        first: learning rate of the first trial.
    """

    start: Look
    target: float
    first: float

    @property
    def ceiling(self) -> float:
        """The highest loss that kept texts may have."""
        return self.start.keep + max(ALLOWED, SHARE * (self.target - self.start.forget))

    @property
    def is_met(self) -> bool:
        """Whether there is nothing to do."""
        return self.start.forget >= self.target

    def succeeds(self, look: Look) -> bool:
        """Whether a look shows what is asked for."""
        return look.forget >= self.target and look.keep <= self.ceiling

    def ends(self, look: Look) -> bool:
        """Whether a trial ends with a look."""
        return self.succeeds(look) or not look.keep <= self.ceiling + HOPELESS

    def next_rate(self, trials: Sequence[Trial]) -> float | None:
        """Return the rate to try next; None where there is a success, or enough was tried."""
        if not trials:
            return self.first
        if len(trials) >= TRIALS or any(self.succeeds(look) for trial in trials for look in trial.looks):
            return None
        fast = [trial.rate for trial in trials if self._is_fast(trial)]
        slow = [trial.rate for trial in trials if not self._is_fast(trial)]
        if fast and slow:
            return math.sqrt(max(slow) * min(fast))
        return min(fast) / FACTOR if fast else max(slow) * FACTOR

    def choose(self, trials: Sequence[Trial]) -> Choice | None:
        """Return the success, or else the best that keeps what is to be kept; None where forgetting took that away."""
        seen = [(number, look) for number, trial in enumerate(trials) for look in trial.looks]
        for number, look in seen:
            if self.succeeds(look):
                return Choice(number, look, True)
        fine = [(look.forget, -number, look) for number, look in seen if look.keep <= self.ceiling]
        best = max(fine, key=lambda one: one[:2], default=None)
        return Choice(-best[1], best[2], False) if best and best[0] > self.start.forget else None

    def _is_fast(self, trial: Trial) -> bool:
        """Whether kept texts were lost: when the forget texts had gone, or at the end."""
        gone = any(look.forget >= self.target for look in trial.looks)
        return gone or not all(look.keep <= self.ceiling for look in trial.looks[-1:])
