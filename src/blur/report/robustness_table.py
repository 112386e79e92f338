"""The table of what survives: a row per method, a column per kind of attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blur.core.files import atomic_write_text
from blur.report import sequence
from blur.report.recovery import COVERED, FORGOTTEN, KEPT, UNINFORMATIVE
from blur.report.robustness import Verdict, attack_titles, verdicts
from blur.report.rows import to_csv
from blur.report.runs import Run, names, rank

NOTES = (
    "Recovery: how far the unlearned model lies from the retrained model (0; guessing, where chance counts) to the "
    "target (1), all after the same attack; the largest of the attack's points. ×: these two are less than "
    f"{UNINFORMATIVE:g} apart there, or the attack does not apply.",
    f"Robustness: one minus the largest recovery, where utility is at least {KEPT:.0%} of the target's and at most "
    f"{FORGOTTEN:.0%} of what there was to forget is left before any attack; over so many of the kinds of attack.",
    "None is given to a model far worse than guessing, nor where retraining brings back less than half of what it "
    f"trains on, or an attack reaches less than {COVERED:.0%} of the weights.",
    "Used, unseen: the worst attack's result on items of entities that the attacker trained on, and on all others.",
)


def save(
    runs: Sequence[Run],
    out_dir: Path | str,
    task_title: str,
    forget: Sequence[str],
    utility: str,
    requests: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write ``robustness.md`` and ``robustness.csv`` (a row per method and point of an attack)."""
    found = sorted(verdicts(runs, forget, utility, requests), key=lambda verdict: rank(verdict.run))
    paths = [Path(out_dir) / f"robustness.{ending}" for ending in ("md", "csv")]
    atomic_write_text(paths[0], markdown(found, runs, task_title, forget))
    atomic_write_text(paths[1], to_csv(long(found)))
    return paths


def long(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return a row per method and point of an attack, and one for the verdict."""
    rows = []
    for verdict in found:
        whose = {"method": verdict.run.method, "variant": verdict.run.variant, "seed": verdict.run.seed}
        rows += [
            {
                **whose,
                "attack": one.attack,
                "point": one.point,
                "unlearned": one.values[0],
                "floor": one.values[1],
                "target": one.values[2],
                "used": one.used,
                "unseen": one.unseen,
                "taught": one.taught,
                "recovery": one.value,
                "covered": one.covered,
                "collision_rate": one.about.get("collision_rate"),
                "reason": one.reason,
            }
            for one in verdict.recoveries
        ]
        rows.append({**whose, "attack": "all", "recovery": _one_minus(verdict.robustness), "reason": verdict.reason})
    return rows


def markdown(found: Sequence[Verdict], runs: Sequence[Run], task_title: str, forget: Sequence[str]) -> str:
    """Return the table as Markdown."""
    titles = attack_titles(found)
    header = ["Method", "Forget before ↓", "Utility ↑", *(f"{title}: recovery ↓" for title in titles.values())]
    header += ["Worst attack", "Forget after it ↓", "Used", "Unseen", "Robustness ↑"]
    lines = [header, [":---", *["---:"] * (len(header) - 1)]]
    reasons: dict[str, str] = {}
    rows = zip(names([verdict.run for verdict in found]), found, strict=True)
    lines += [[name, *_row(verdict, list(titles), reasons)] for name, verdict in rows]
    notes = [*NOTES, f"Judged by the mean of: {', '.join(forget)}; prompts by what is generated (config/benchmarks)."]
    if sequence.NAME in titles:
        notes.append(
            f"{titles[sequence.NAME]}: what is left of earlier ones, beside the retrained model on unseen texts; "
            "× too where the earlier one was not forgotten."
        )
    notes += filter(None, (_reached(title, name, found) for name, title in titles.items()))
    notes += [f"({letter}) {reason}" for reason, letter in reasons.items()]
    seeds = sorted({verdict.run.seed for verdict in found})
    notes.append(f"Seeds: {', '.join(map(str, seeds))}.")
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"# {task_title}: robustness", table, "  \n".join(notes)]) + "\n"


def _reached(title: str, attack: str, found: Sequence[Verdict]) -> str:
    """Return what share of the weights an attack reached, by its arms from the least; nothing where it leaves them."""
    arms = {one.arm: one.covered for verdict in found for one in verdict.recoveries if one.attack == attack}
    shares = sorted((share, arm) for arm, share in arms.items() if share is not None)
    if not shares:
        return ""
    least, most = shares[0], shares[-1]
    return f"{title} reaches {least[0]:.1%} ({least[1]}) to {most[0]:.1%} ({most[1]}) of the weights of linear maps."


def _row(verdict: Verdict, attacks: list[str], reasons: dict[str, str]) -> list[str]:
    worst = verdict.worst
    shares = [one.value if (one := verdict.of(attack)) else None for attack in attacks]
    telling = {one.attack for one in verdict.recoveries if one.is_whole}
    earned = f"{number(verdict.robustness)} ({len(telling)} of {len(attacks)})"
    if verdict.reason:
        earned = f"– ({reasons.setdefault(verdict.reason, chr(ord('a') + len(reasons)))})"
    after = [f"{worst.attack}: {worst.point}", number(worst.values[0])] if worst else ["×", "×"]
    sides = [number(worst.used), number(worst.unseen)] if worst else ["×", "×"]
    return [number(verdict.before), number(verdict.utility), *map(number, shares), *after, *sides, earned]


def number(value: float | None) -> str:
    """Return a share with three digits; × where there is none."""
    return "×" if value is None else f"{value:.3f}"


def _one_minus(value: float | None) -> float | None:
    return None if value is None else 1 - value
