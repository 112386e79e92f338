"""Evidence made by hand, whose verdict is known in closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blur.owner.estimate import Bootstrap
from blur.owner.evidence.reading import (
    EXACT,
    EXTRACTED,
    FAMILIAR,
    FORGET,
    HINTED,
    KEEP,
    LOWEST,
    REPEATED,
    SAID,
    UNSEEN,
    NeverSaw,
    Reading,
    State,
    never_saw,
)
from blur.owner.evidence.settings import AuditSettings
from blur.owner.report import Model, Report, Texts
from blur.owner.rules import Rules
from blur.owner.verdicts import Evidence, Judge, Judged
from blur.owner.wording import COMPARISONS, HEADLINES, cannot_show

SIZES = {FORGET: 12, KEEP: 10, UNSEEN: 12}
CHANCE = -6.0
JITTER = (0.0, 0.02, -0.03, 0.05, -0.04)  # texts differ a little, so that intervals have a width
REFERENCE = never_saw(reference=True, base=False, unseen=False)


def reading(known: float, said: float = 0.1, other: float = -0.5, unseen: float = -3.0, size: int = 12) -> Reading:
    """A model that finds the forget texts ``known`` familiar (nats) and says a share ``said`` of them."""
    levels = {
        FAMILIAR: {FORGET: known, KEEP: other, UNSEEN: unseen},
        LOWEST: {FORGET: 2 * known, KEEP: 2 * other, UNSEEN: 2 * unseen},
        SAID: {FORGET: said, KEEP: 0.8, UNSEEN: 0.1},
        HINTED: {FORGET: said, UNSEEN: 0.1},
        EXACT: {FORGET: said, UNSEEN: 0.1},
        EXTRACTED: {FORGET: said / 2, UNSEEN: 0.0},
        REPEATED: {KEEP: 0.0},
    }
    return Reading(
        {
            (measure, set): {
                f"{set}-{number}": level + JITTER[number % len(JITTER)]
                for number in range(size if set == FORGET else SIZES[set])
            }
            for measure, sets in levels.items()
            for set, level in sets.items()
        }
    )


BEFORE, NEVER = reading(-0.5, said=0.9), reading(-3.0)


def evidence(after: Reading, back: float = -3.0, size: int = 12, **changes: Any) -> Evidence:
    """Evidence against a reference; after every attack the texts are ``back`` familiar, where the reference has -3."""
    never = reading(-3.0, size=size)
    attacked = {step: State(reading(back, size=size), never) for step in (2, 16)}
    made = Evidence(
        plain=State(after, never, reading(-0.5, said=0.9, size=size)),
        rounded=State(after, never, reading(-0.5, said=0.9, size=size)),
        relearned=attacked,
        trained=reading(-0.4, size=size),
        resurfaced=attacked,
        chance=CHANCE,
        questions=False,
    )
    return replace(made, **changes)


def judged(seen: Evidence, never: NeverSaw = REFERENCE, **rules: Any) -> Judged:
    return Judge(seen, never, Bootstrap({}, draws=300), Rules(**rules)).judge()


def report(found: Judged, never: NeverSaw = REFERENCE, name: str = "./clean") -> Report:
    """The report of a verdict, with names and hashes that are nobody's."""
    return Report(
        verdict=found.verdict,
        headline=HEADLINES[found.verdict],
        reason=found.reason,
        never_saw=never.kind,
        comparison=COMPARISONS[never.kind],
        findings=found.findings,
        relearning=found.points,
        rate=1e-3,
        cannot_show=cannot_show(never, "documents", {}),
        models=tuple(
            Model(role=role, name=named, sha256=64 * digit)
            for role, named, digit in (
                ("before", "./my-model", "a"),
                ("after", name, "b"),
                ("reference", "./never", "c"),
            )
        ),
        texts=Texts(
            form="documents", sha256=64 * "d", given={"forget": 12, "keep": 10}, read={"forget": 12, "keep": 10}
        ),
        settings=AuditSettings(),
        made={"day": "2026-11-28", "blur": "0.1.0", "torch": "2.13.0"},
    )
