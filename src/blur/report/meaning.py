"""Whether a task's results mean anything, and what they say first, in sentences for the terminal.

They mean something where the target knows what is to be forgotten and the retrained model does not, where both know the
rest, and where the two are alike on texts that neither saw: those also tell what not knowing gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blur.report.recovery import FORGOTTEN, KEPT, are_alike, is_forgotten, is_of_use, share
from blur.report.robustness import judged, verdicts
from blur.report.runs import Run, by_method, of_default
from blur.report.summary import summarise
from blur.report.wording import in_sentence

Level = float | None


@dataclass(frozen=True)
class Check:
    """A sentence about target and retrained model, and whether it holds."""

    text: str
    holds: bool


def checks(runs: Sequence[Run], forget: Sequence[str], utility: str, unseen: str | None = None) -> list[Check]:
    """Return what has to hold before any method is looked at; empty where target or retrained model is missing.

    Args:
        runs: of one task.
        forget: metrics, 0-1, whose mean judges what is left of the texts to be forgotten.
        utility: the metric that tells whether a model is of use.
        unseen: what `forget` measures, on texts that neither model saw.
    """
    target, retrained = (next((run for run in runs if run.method == name), None) for name in ("target", "retrained"))
    if target is None or retrained is None:
        return []
    knows, knows_not = judged(target, forget), judged(retrained, forget)
    said = f"The target knows what is to be forgotten ({_number(knows)}), the retrained model does not"
    useful = target.value(utility), retrained.value(utility)
    both = f"Both know the rest: {in_sentence(utility)} {_number(useful[0])} and {_number(useful[1])}."
    rest = Check(both, is_of_use(*useful) and is_of_use(*reversed(useful)))
    if unseen is None:
        return [Check(f"{said} ({_number(knows_not)}).", share(knows, knows_not, knows) is not None), rest]
    levels = target.value(unseen), retrained.value(unseen)
    known, guessed = (share(level, levels[1], 1.0) for level in (knows, knows_not))
    alike = f"On texts that neither saw the two are alike: {_number(levels[0])} and {_number(levels[1])}."
    return [
        Check(
            f"{said} ({_number(knows_not)}; not knowing gives {_number(levels[1])}).",
            known is not None and is_forgotten(1 - known) and guessed is not None and is_forgotten(abs(guessed)),
        ),
        Check(alike, are_alike(*levels)),
        rest,
    ]


def findings(runs: Sequence[Run], forget: Sequence[str], utility: str) -> list[str]:
    """Return which methods forgot and are still of use, and how much of that attacks brought back.

    Args:
        runs: of one task, with their attacks; only default variants are told.
        forget: metrics, 0-1, whose mean judges what is left of the texts to be forgotten.
        utility: the metric that tells whether a model is of use.
    """
    references = {run.method: run for run in runs if run.is_reference}
    groups = list(by_method(of_default(runs)).values())
    if not groups or not {"target", "retrained"} <= references.keys():
        return []
    target, floor = references["target"], judged(references["retrained"], forget)

    def is_good(group: list[Run]) -> bool:
        levels, kept = [judged(run, forget) for run in group], [run.value(utility) for run in group]
        if None in (*levels, *kept):  # a seed that collapsed is not made up for by the others
            return False
        left = share(summarise(levels).mean, floor, judged(target, forget))
        return left is not None and is_forgotten(left) and is_of_use(summarise(kept).mean, target.value(utility))

    good = [group for group in groups if is_good(group)]
    bad = [group[0].title for group in groups if not is_good(group)]
    titles = [group[0].title for group in good]
    lines = [f"Forgot {1 - FORGOTTEN:.0%} or more, and kept {KEPT:.0%} of the target's utility: {_list(titles)}."]
    lines += [f"Did not: {_list(bad)}."] if bad else []
    attacked = verdicts([*references.values(), *(run for group in good for run in group)], forget, utility)
    back = []
    for title in titles:
        earned = [one.robustness for one in attacked if one.run.title == title and one.robustness is not None]
        back += [f"{title} {1 - min(earned):.0%}"] if earned else []
    lines += [f"Of that the worst attack brought back: {_list(back)}."] if back else []
    if all(len(group) == 1 for group in groups):
        lines.append("One seed a method: small differences between methods may be chance.")
    return lines


def _number(level: Level) -> str:
    return "not defined" if level is None else f"{level:.2f}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
