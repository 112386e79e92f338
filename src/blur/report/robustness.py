"""What an attack brings back of what was forgotten, and what that says of a method: recovery and robustness.

Recovery of attack ``a``: ``clip((m_u - m_r) / (m_t - m_r), 0, 1)`` with the judges' mean ``m`` of the unlearned, the
retrained and the target model, all three after the same attack at the same point. So what the retrained model learns
from the attack itself does not count as coming back. The level of guessing stands for ``m_r`` in RTT, whose judges ask
what no attacker was told, and where there is no retrained model.
Robustness: one minus the largest recovery, of models that had forgotten, and were still of use, before any attack;
of each kind of attack some point has to reach nine tenths of the weights, or it might have brought back more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from blur.metrics.reasons import NO_RECORDS
from blur.report.recovery import COVERED, FORGOTTEN, KEPT, TAUGHT, is_forgotten, is_inverted, is_of_use, recovery, share
from blur.report.runs import Run, points_of
from blur.report.sequence import with_sequence


@dataclass(frozen=True)
class Recovery:
    """One point of an attack on one model.

    Attributes:
        values: the judges' mean of the unlearned, the retrained (or chance) and the target model under the attack.
        used, unseen: the unlearned model's, over items of entities that the attacker used, and never saw.
        taught: how much of what the attacker trained on came back, where only other items are judged.
        covered: share of the model's matrices that the attack quantized, or trained; None where it touches none.
        value: the recovery, 0 to 1; None where ``reason`` says why.
    """

    attack: str
    arm: str
    point: str
    about: Mapping[str, Any]
    values: tuple[float | None, float | None, float | None]
    used: float | None
    unseen: float | None
    taught: float | None
    covered: float | None
    value: float | None
    reason: str | None

    @property
    def is_whole(self) -> bool:
        """Whether it could show that the model resists: it is defined, and nearly all weights were attacked."""
        return self.value is not None and (self.covered is None or self.covered >= COVERED)


@dataclass(frozen=True)
class Verdict:
    """What all attacks together say of a model.

    Attributes:
        before: the judges' mean before any attack; ``utility`` likewise.
        worst: the point with the largest recovery; None where no attack is informative.
        robustness: None where ``reason`` says why.
    """

    run: Run
    before: float | None
    utility: float | None
    recoveries: tuple[Recovery, ...]
    worst: Recovery | None
    robustness: float | None
    reason: str | None

    def of(self, attack: str, arm: str | None = None) -> Recovery | None:
        """Return the largest recovery of an attack, or of one arm of it; None where none is informative."""
        return _largest(one for one in self.recoveries if one.attack == attack and arm in (None, one.arm))


def verdicts(
    runs: Sequence[Run], forget: Sequence[str], utility: str, sequence: Mapping[str, Any] | None = None
) -> list[Verdict]:
    """Return the verdict on each attacked run, references left out.

    Args:
        runs: with those of target and retrained model, attacked alike.
        forget: metrics, 0-1, lower is better, whose mean judges a model before any attack.
        utility: the metric that tells whether it is still of use.
        sequence: requests one after another (arguments of ``with_sequence``) that count like one more attack.
    """
    runs = with_sequence(runs, **sequence) if sequence else runs
    references = {name: next((run for run in runs if run.method == name), None) for name in ("target", "retrained")}
    target, retrained = references["target"], references["retrained"]
    if target is None:
        return []
    attacked = [run for run in runs if run.attacks and not run.is_reference]
    return [_verdict(run, target, retrained, forget, utility) for run in attacked]


def attack_titles(found: Sequence[Verdict]) -> dict[str, str]:
    """Return how each attack is called, by its name, in the order met."""
    return {name: told["title"] for verdict in found for name, told in verdict.run.attacks.items()}


def _verdict(run: Run, target: Run, retrained: Run | None, forget: Sequence[str], utility: str) -> Verdict:
    found = tuple(one for name in run.attacks for one in recoveries(run, target, retrained, name))
    before, kept = judged(run, forget), run.value(utility)
    worst = _largest(found)
    reason = _unfit(run, target, retrained, forget, utility) or _untaught(run, found) or _uncovered(run, found)
    reason = reason or (None if worst else "no attack is informative")
    robustness = None if reason or worst is None or worst.value is None else 1 - worst.value
    return Verdict(run, before, kept, found, worst, robustness, reason)


def _unfit(run: Run, target: Run, retrained: Run | None, forget: Sequence[str], utility: str) -> str | None:
    """Return why a model earns no robustness before any attack is looked at; None if it may."""
    guessed = _chance(run, retrained)
    floor = judged(retrained, forget) if retrained and guessed is None else guessed
    levels = judged(run, forget), floor, judged(target, forget)
    if not is_of_use(run.value(utility), target.value(utility)):
        return f"utility below {KEPT:.0%} of the target's"
    if None in levels:
        return "forgetting cannot be judged"
    left = share(*levels)
    if left is None:
        return "target and retrained model hardly differ before any attack"
    if guessed is not None and is_inverted(left):
        return "worse than guessing: it still tells right from wrong"
    return None if is_forgotten(left) else f"forgets less than {1 - FORGOTTEN:.0%}"


def _untaught(run: Run, found: Sequence[Recovery]) -> str | None:
    """Return why resisting an attack on unseen items earns nothing: it failed on the items it trained on, too."""
    for attack, told in run.attacks.items():
        taught = [one.taught for one in found if one.attack == attack and one.taught is not None]
        if taught and max(taught) < TAUGHT:
            return f"too weak to tell: {told['title']} brings back less than {TAUGHT:.0%} of what it trains on"
    return None


def _uncovered(run: Run, found: Sequence[Recovery]) -> str | None:
    """Return why resisting an attack earns nothing: none of its points reached enough of the weights."""
    for attack, told in run.attacks.items():
        points = [one for one in found if one.attack == attack and one.value is not None]
        if points and not any(one.is_whole for one in points):
            most = max(one.covered or 0 for one in points)
            return f"{told['title']} reaches {most:.1%} of the weights, less than {COVERED:.0%}"
    return None


def _chance(run: Run, retrained: Run | None) -> float | None:
    """Return what guessing gives, where it is the floor of an attack on a model; None where it is of none."""
    return next((told["chance"] for told in run.attacks.values() if _is_guessed(told, retrained)), None)


def _is_guessed(attack: Mapping[str, Any], retrained: Run | None) -> bool:
    """Whether the floor is the level of guessing: what no attacker was told, or what nobody was trained without."""
    return attack["chance"] is not None and (attack["items"] == "unseen" or retrained is None)


def judged(run: Run, metrics: Sequence[str]) -> float | None:
    """Return the mean of the judges before any attack; None where one of them is not defined."""
    values = [run.value(name) for name in metrics if NO_RECORDS not in (run.about.get(name, {}).get("reason") or "")]
    return None if not values or None in values else fmean(value for value in values if value is not None)


def recoveries(run: Run, target: Run, retrained: Run | None, attack: str) -> list[Recovery]:
    """Return the recovery at each point of an attack, arms in their order, points along the attack."""
    own = run.attacks[attack]
    floor = (retrained.attacks.get(attack) or {}).get("points", {}) if retrained else {}
    ceiling = target.attacks.get(attack, {}).get("points", {})
    guessed = _is_guessed(own, retrained)
    found = []
    for name, point in points_of(own).items():
        unlearned = _level(point, own["items"])
        low = own["chance"] if guessed else _level(floor.get(name), own["items"])
        values = unlearned, low, _level(ceiling.get(name), own["items"])
        value = recovery(*values)
        reason = None if value is not None else point.get("reason") or _why(*values)
        used, unseen = _level(point, "used"), _level(point, "unseen")
        taught = share(used, low, _level(ceiling.get(name), "used")) if own["items"] == "unseen" else None
        found.append(
            Recovery(
                attack, point["arm"], name, point, values, used, unseen, taught, point.get("covered"), value, reason
            )
        )
    return found


def _why(unlearned: float | None, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "no level of the target, or of the retrained model, to compare with"
    return "not defined under this attack" if unlearned is None else "target and retrained model hardly differ"


def _level(point: Mapping[str, Any] | None, items: str) -> float | None:
    return (point or {}).get("judged", {}).get(items)


def _largest(found: Any) -> Recovery | None:
    known = [one for one in found if one.value is not None]
    return max(known, key=lambda one: (one.value, one.values[0]), default=None)
