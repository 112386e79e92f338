"""The audit: what a model still knows of the texts it was to forget, and what brings them back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from blur import __version__
from blur.attacks.point import entity
from blur.core.manifest import library_versions
from blur.data.own import FILES
from blur.owner.estimate import Bootstrap
from blur.owner.evidence.attacks import Data, Relearned, quantized, rates, relearn
from blur.owner.evidence.reader import Reader
from blur.owner.evidence.reading import FAMILIAR, FORGET, KEEP, UNSEEN, Reading, State, never_saw
from blur.owner.evidence.settings import DEFAULT, AuditSettings
from blur.owner.report import Model, Report, Role, Texts
from blur.owner.verdicts import Evidence, Judge, Judged
from blur.owner.wording import COMPARISONS, HEADLINES, cannot_show

if TYPE_CHECKING:
    from blur.owner.models import OwnModel
    from blur.owner.texts import OwnTexts

Progress = Callable[[int, int, str], None]
READING, ROUNDING = 16, 4  # what they cost, in steps of fine-tuning: rough, for the time that is left


class Audit:
    """What stays the same for all candidates: texts, the model before, and what they are compared with.

    Args:
        before: the model that knows the texts.
        base: it before fine-tuning; not read where there is a reference.
        reference: a model trained without the texts.
        progress: called with (done, total, what).

    Raises:
        ConfigError: the models have not the same tokenizer.
    """

    def __init__(
        self,
        before: OwnModel,
        texts: OwnTexts,
        *,
        base: OwnModel | None = None,
        reference: OwnModel | None = None,
        settings: AuditSettings = DEFAULT,
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self._before, self._other, self._texts = before, reference or base, texts
        self._role: Role = "reference" if reference else "base"
        self._never = never_saw(reference is not None, base is not None, bool(texts.sets.get(UNSEEN)))
        self._reader = Reader(before, texts, self._settings, self._never.by_unseen)
        if self._other:
            self._reader.require(self._other, f"--{self._role}")
        groups = {str(record["id"]): entity(record) for records in self._reader.sets.values() for record in records}
        self._boot = Bootstrap(groups, self._settings.draws, self._settings.seed)
        self._progress, self._done, self._total = progress, 0, 0
        self._known: dict[tuple[str, ...], Reading] = {}
        self._relearned: dict[tuple[str, ...], Relearned] = {}

    def of(self, after: OwnModel) -> Report:
        """Return the report on one candidate."""
        self._reader.require(after, "--after")
        self._done, self._total = 0, self._cost()
        evidence = self._evidence(after)
        judged = Judge(evidence, self._never, self._boot, self._settings.rules).judge()
        if self._done < self._total:
            self._advance(self._total - self._done)
        return self._report(after, judged, evidence.rate)

    def words(self, after: OwnModel) -> list[dict[str, str]]:
        """Return what both models say to each forget text, asked plainly; it holds the texts themselves."""
        before, now = (self._reader.said(own.loaded.model) for own in (self._before, after))
        return [{**before[item], "before": before[item]["said"], "after": now[item]["said"]} for item in before]

    def _cost(self) -> int:
        """Return what a candidate takes if nothing is known yet, and the first rate of an attack teaches."""
        models = 2 + (self._other is not None)
        if not self._never.compares:
            return READING * models
        attacked, runs = models - 1 + self._never.by_unseen, 2 + bool(self._reader.sets[KEEP])
        return (READING + ROUNDING) * models + attacked * runs * max(self._settings.steps)

    def _advance(self, cost: int) -> None:
        self._done += cost
        self._total = max(self._total, self._done)
        if self._progress:
            self._progress(self._done, self._total, "steps")

    def _evidence(self, after: OwnModel) -> Evidence:
        before, other = self._before, self._other
        plain = State(self._plain(after), self._plain(other) if other else None, self._plain(before))
        evidence = Evidence(
            plain=plain,
            rounded=None,
            relearned={},
            trained=None,
            resurfaced={},
            chance=-math.log(len(before.loaded.tokenizer)),
            questions=self._reader.form == "questions",
        )
        if not self._never.compares:
            return evidence
        rounded = State(self._rounded(after), self._rounded(other) if other else None, self._rounded(before))
        relearned, trained, rate = self._attacked(after, plain)
        resurfaced = self._states(after, KEEP, rate) if self._reader.sets[KEEP] else {}
        return replace(
            evidence, rounded=rounded, relearned=relearned, trained=trained, resurfaced=resurfaced, rate=rate
        )

    def _attacked(self, after: OwnModel, plain: State) -> tuple[Mapping[int, State], Reading, float]:
        """Fine-tune on halves of the texts, at the gentlest rate that teaches them."""
        tried = rates(after, self._reader)
        last = max(self._settings.steps)
        for rate in tried:
            trained = self._tuned(after, FORGET, rate).trained[last]
            learned = self._never.excess(FAMILIAR, trained, plain)
            assert plain.before is not None
            share = learned.share_of(self._never.excess(FAMILIAR, plain.before, plain), self._boot)
            if share is None or share.value >= self._settings.rules.taught:
                break
        return self._states(after, FORGET, rate), trained, rate

    def _states(self, after: OwnModel, data: Data, rate: float) -> dict[int, State]:
        own = self._tuned(after, data, rate).judged
        other = self._tuned(self._other, data, rate).judged if self._other else None
        before = self._tuned(self._before, data, rate).judged if self._never.by_unseen else None
        return {
            step: State(own[step], other[step] if other else None, before[step] if before else None) for step in own
        }

    def _plain(self, own: OwnModel) -> Reading:
        return self._once(("plain", own.sha256), lambda: self._reader.read(own.loaded.model), READING)

    def _rounded(self, own: OwnModel) -> Reading:
        return self._once(("rounded", own.sha256), lambda: quantized(own, self._reader), ROUNDING)

    def _once(self, key: tuple[str, ...], read: Callable[[], Reading], cost: int) -> Reading:
        if key not in self._known:
            self._known[key] = read()
            self._advance(cost)
        return self._known[key]

    def _tuned(self, own: OwnModel, data: Data, rate: float) -> Relearned:
        key = (own.sha256, data, repr(rate))
        if key not in self._relearned:
            self._relearned[key] = relearn(own, self._reader, data, rate, lambda: self._advance(1))
        return self._relearned[key]

    def _report(self, after: OwnModel, judged: Judged, rate: float | None) -> Report:
        named: tuple[tuple[Role, OwnModel | None], ...]
        named = (("before", self._before), ("after", after), (self._role, self._other))
        sets = self._texts.sets
        return Report(
            verdict=judged.verdict,
            headline=HEADLINES[judged.verdict],
            reason=judged.reason,
            never_saw=self._never.kind,
            comparison=COMPARISONS[self._never.kind],
            findings=judged.findings,
            relearning=judged.points,
            rate=rate,
            cannot_show=cannot_show(self._never, self._reader.form, self._boot.groups),
            models=tuple(Model(role=role, name=own.name, sha256=own.sha256) for role, own in named if own),
            texts=Texts(
                form=self._reader.form,
                sha256=self._texts.sha256,
                given={FILES[name]: len(records) for name, records in sets.items()},
                read={FILES[name]: len(records) for name, records in self._reader.sets.items()},
            ),
            settings=self._settings,
            made={"day": datetime.now(UTC).date().isoformat(), "blur": __version__, **library_versions()},
        )


def audit(
    before: OwnModel,
    after: OwnModel,
    texts: OwnTexts,
    *,
    base: OwnModel | None = None,
    reference: OwnModel | None = None,
    settings: AuditSettings = DEFAULT,
    progress: Progress | None = None,
) -> Report:
    """Return the report on ``after``; see ``Audit``."""
    made = Audit(before, texts, base=base, reference=reference, settings=settings, progress=progress)
    return made.of(after)
