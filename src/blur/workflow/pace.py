"""How long the jobs that are left of a run will take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

# Seconds of a job at scale `demo`, for a first run; once jobs have ended, only the ratios matter. The base model's are
# those of importing everything.
TYPICAL = {"base": 10.0, "train": 70.0, "unlearn": 20.0, "evaluate": 9.0, "attack": 6.0}
OTHERS = 1.5


class Pace:
    """Expects of each job what jobs of its rule took: in this run, else in earlier ones, else typically.

    Args:
        counts: jobs to be done, by rule.
        earlier: mean wall seconds of a job in earlier runs, by rule.
    """

    def __init__(self, counts: Mapping[str, int], earlier: Mapping[str, float]) -> None:
        self._left = Counter(counts)
        self._known = TYPICAL | dict(earlier)
        self._taken: dict[str, list[float]] = defaultdict(list)

    def finished(self, rule: str, seconds: float) -> None:
        """Note that a job has ended, and what it took."""
        self._left[rule] -= 1
        self._taken[rule].append(seconds)

    def expected(self, rule: str) -> float:
        """Return the seconds of a job of ``rule``; where none has ended, by the speed of the jobs that have."""
        if taken := self._taken.get(rule):
            return sum(taken) / len(taken)
        foreseen = sum(self._known.get(name, OTHERS) * len(taken) for name, taken in self._taken.items())
        speed = sum(map(sum, self._taken.values())) / foreseen if foreseen else 1.0
        return self._known.get(rule, OTHERS) * speed

    def left(self, running: Iterable[tuple[str, float]], slots: int) -> float:
        """Return the seconds until all is done.

        Args:
            running: rule and age in seconds of each job that runs.
            slots: jobs that run at once.
        """
        to_do = sum(number * self.expected(rule) for rule, number in self._left.items())
        done = sum(min(age, self.expected(rule)) for rule, age in running)
        return (to_do - done) / slots
