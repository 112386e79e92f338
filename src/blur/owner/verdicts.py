"""From evidence to answers, and from answers to a verdict. Numbers in, words out: no model is looked at here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from blur.owner.estimate import Array, Bootstrap, Estimate, Excess, auc_draws, minus
from blur.owner.evidence.reading import (
    EXACT,
    EXTRACTED,
    FAMILIAR,
    FORGET,
    HINTED,
    KEEP,
    LOWEST,
    REPEATED,
    REWORDED,
    SAID,
    UNSEEN,
    NeverSaw,
    Reading,
    State,
)
from blur.owner.report import Finding, Name, Point, Row, Verdict
from blur.owner.rules import Answer, Rules

UNKNOWN: Final = "cannot be told"
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Evidence:
    """All that an audit looked at.

    Attributes:
        plain: the models as they are, the one before among them.
        rounded: with weights of few bits, the one before among them.
        relearned: by step, after fine-tuning on the other half of the texts; the one before where unseen texts count.
        trained: what is known of those texts that an attack learned, after its last step; None where it made none.
        resurfaced: by step, after fine-tuning on keep texts.
        rate: learning rate of the fine-tuning; None where there was none.
        chance: mean log-probability of a token where all are alike.
        questions: whether the texts are questions with answers.
    """

    plain: State
    rounded: State | None
    relearned: Mapping[int, State]
    trained: Reading | None
    resurfaced: Mapping[int, State]
    chance: float
    questions: bool
    rate: float | None = None


@dataclass(frozen=True)
class Judged:
    """Answers, and the verdict that follows."""

    verdict: Verdict
    reason: str
    findings: tuple[Finding, ...]
    points: tuple[Point, ...] = field(default=())


class Judge:
    """Reads evidence by the rules."""

    def __init__(self, evidence: Evidence, never: NeverSaw, boot: Bootstrap, rules: Rules) -> None:
        assert evidence.plain.before is not None
        self._seen, self._never, self._boot, self._rules = evidence, never, boot, rules
        self._before, self._plain = evidence.plain.before, evidence.plain

    def judge(self) -> Judged:
        """Return all answers and the verdict."""
        relearned, points = self._relearned()
        findings = (
            self._reproduced(),
            self._answered(),
            self._known(),
            self._told_apart(),
            relearned,
            self._resurfaced(),
            self._quantized(),
            self._hinted(),
            self._costly(),
        )
        verdict, reason = self._verdict({one.name: one for one in findings})
        return Judged(verdict, reason, findings, points)

    # What is compared

    def _whole(self, measure: str) -> Excess:
        """How much better the model before knows the texts than one that never saw them."""
        return self._never.excess(measure, self._before, self._plain)

    def _excess(self, measure: str, state: State) -> Excess:
        return self._never.excess(measure, state.after, state)

    def _share(self, measure: str, state: State, whole: str | None = None) -> Estimate | None:
        return self._excess(measure, state).share_of(self._whole(whole or measure), self._boot)

    def _tells(self, measure: str) -> bool:
        """Whether the model before shows so much of the texts that a share of it can be taken."""
        if not self._never.compares:
            return False
        level = self._whole(measure).level(self._boot)
        least = self._rules.known if measure == FAMILIAR else self._rules.said
        return level is not None and level.low is not None and level.low > 0 and level.value >= least

    @property
    def unchanged(self) -> bool:
        """Whether before and after cannot be told apart by how familiar they find the texts."""
        change = self._boot.mean(
            minus(self._before.of(FAMILIAR, FORGET), self._plain.after.of(FAMILIAR, FORGET)), FORGET
        )
        if change is None or change.low is None or change.high is None:
            return False
        return change.low <= 0 <= change.high and abs(change.value) < self._rules.known

    @property
    def collapsed(self) -> bool:
        """Whether the model lost most of what it knew of other texts too, or gives no numbers at all."""
        after = self._plain.after
        if any(
            not math.isfinite(value) for set in (FORGET, KEEP, UNSEEN) for value in after.of(FAMILIAR, set).values()
        ):
            return True
        own, was = after.of(FAMILIAR, self._others), self._before.of(FAMILIAR, self._others)
        if not own:
            return False
        lost, room = (
            np.mean(list(was.values())) - np.mean(list(own.values())),
            np.mean(list(was.values())) - self._seen.chance,
        )
        return bool(room > 0 and lost > self._rules.collapsed * room)

    @property
    def _others(self) -> str:
        """The set that costs are measured on: what was to be kept, or else what neither saw."""
        return KEEP if self._before.of(FAMILIAR, KEEP) else UNSEEN

    def _zone(self, share: Estimate | None) -> Answer:
        """Return where a share lies; of one that is an upper bound, nothing but that it is gone."""
        zone = self._rules.zone(share)
        if self._never.bound and zone in ("yes", "partly"):
            return "yes" if self.unchanged else UNKNOWN
        return zone

    # What a row of numbers shows

    def _row(self, label: str, measure: str, set: str = FORGET, percent: bool = True) -> Row:
        before, after = (
            self._boot.mean(reading.of(measure, set), set) for reading in (self._before, self._plain.after)
        )
        never = self._level_of_never(measure) if set == FORGET and self._never.compares else None
        return Row(label=label, before=before, after=after, never_saw=never, percent=percent)

    def _level_of_never(self, measure: str) -> Estimate | None:
        """Return what a model that never saw the texts would show: what is there, less the excess."""
        own, excess = self._plain.after.of(measure, FORGET), self._excess(measure, self._plain)
        if not own or own.keys() != excess.forget.keys():
            return None
        drawn = self._boot.means(own, FORGET) - excess.drawn(self._boot)
        return self._boot.estimate(drawn, self._boot.size(own))

    # The questions

    def _reproduced(self) -> Finding:
        questions = self._seen.questions
        name = "the answers" if questions else "the texts"
        rows = [self._row(f"Words of {name} in what the model says (ROUGE-L)", SAID)]
        rows += [self._row("Tokens that are the model's first choice, the true ones before them given", EXACT)]
        rows += [self._row("Part at the end that comes by itself (extraction strength)", EXTRACTED)]
        asked = (
            "Asked the questions, does the model still answer them?"
            if questions
            else ("Given the beginning of a text, does the model still write the rest?")
        )
        return self._shown("reproduced", asked, SAID, self._plain, rows, f"what it could say of {name}")

    def _answered(self) -> Finding:
        asked = "Are the facts still answered when the question is put in other words?"
        if not self._seen.questions:
            told = "Documents hold no questions. Audit a file of questions and answers about them to learn this."
            return Finding(name="answered", question=asked, answer=UNKNOWN, explanation=told)
        rows = [self._row("Words of the answers in the best answer of several wordings (ROUGE-L)", REWORDED)]
        return self._shown("answered", asked, REWORDED, self._plain, rows, "what it could say")

    def _known(self) -> Finding:
        asked = "Whatever it says: are the texts still familiar to it?"
        rows = [self._row("Familiarity: mean log-probability of a token (0 is certain)", FAMILIAR, percent=False)]
        return self._shown("known", asked, FAMILIAR, self._plain, rows, "the familiarity")

    def _shown(self, name: Name, asked: str, measure: str, state: State, rows: Sequence[Row], what: str) -> Finding:
        """Return a finding about a share of what the model before shows by one measure."""
        share = self._share(measure, state) if self._tells(measure) else None
        answer = self._zone(share)
        if not self._tells(measure):
            same = self.unchanged and not self._never.compares
            answer = "yes" if same else UNKNOWN
            told = "Nothing has changed since before." if same else self._why_not(measure)
        else:
            told = {
                "no": f"{_part(share)} of {what} is left: below {self._rules.gone:.0%} counts as gone.",
                "partly": f"{_part(share)} of {what} is left.",
                "yes": f"{_part(share)} of {what} is left.",
                UNKNOWN: f"{_part(share)} of {what} seems left; the interval is too wide, or the comparison too weak.",
            }[answer]
        return Finding(name=name, question=asked, answer=answer, explanation=told, share=share, rows=tuple(rows))

    def _why_not(self, measure: str) -> str:
        if not self._never.compares:
            return "Nothing says what a model that never saw them would show: give --reference, --base or --unseen."
        if not self._whole(measure).forget:
            return "No text could be asked about in this way."
        return "The model before shows no more of the texts here than one that never saw them: nothing can be missing."

    def _told_apart(self) -> Finding:
        asked = "Can one tell from the model that it was trained on the texts?"
        after, other, boot = self._plain.after, self._plain.other, self._boot
        half, texts = np.full(1 + boot.draws, 0.5), after.of(LOWEST, FORGET)
        if unseen := after.of(LOWEST, UNSEEN):
            label = "Chance that a forget text looks better known than an unseen one (AUC of Min-K%)"
            was, own = self._auc(self._before), self._auc(after)
            level, sizes = self._auc(other) if other else half, (boot.size(texts), boot.size(unseen))
        elif other:
            label = "Forget texts that are more familiar to it than to the model to compare with"
            was, own = self._more_familiar(self._before, other), self._more_familiar(after, other)
            level, sizes = half, (boot.size(texts), boot.size(texts))
        else:
            return Finding(name="told_apart", question=asked, answer=UNKNOWN, explanation=self._why_not(LOWEST))
        before, found, never = (boot.estimate(one, *sizes) for one in (was, own, level))
        row = Row(label=label, before=before, after=found, never_saw=never)
        bound = self._never.bound and not unseen
        answer, told = self._apart(None if bound else boot.estimate(own - level, *sizes))
        return Finding(name="told_apart", question=asked, answer=answer, explanation=told, rows=(row,))

    def _auc(self, reading: Reading) -> Array:
        return auc_draws(self._boot, reading.of(LOWEST, FORGET), reading.of(LOWEST, UNSEEN))

    def _more_familiar(self, own: Reading, other: Reading) -> Array:
        changes = minus(own.of(FAMILIAR, FORGET), other.of(FAMILIAR, FORGET))
        return self._boot.means(
            {item: float(value > 0) + 0.5 * (value == 0) for item, value in changes.items()}, FORGET
        )

    def _apart(self, difference: Estimate | None) -> tuple[Answer, str]:
        rules = self._rules
        if difference is None or difference.low is None or difference.high is None or difference.n < rules.least:
            return UNKNOWN, "There is too little to compare with."
        if abs(difference.value) >= rules.told_apart and not difference.low <= 0 <= difference.high:
            if difference.value < 0:
                return "yes", "The texts look less known than texts that it never saw, which gives the unlearning away."
            return "yes", "The texts look better known than texts that it never saw."
        if max(-difference.low, difference.high) < rules.unsure:
            return "no", "The texts look as well known as to a model that never saw them."
        return UNKNOWN, "The interval is too wide to tell."

    def _relearned(self) -> tuple[Finding, tuple[Point, ...]]:
        asked = "Does it come back when the model is fine-tuned on a part of the texts? (Judged on the other part.)"
        points = self._points(self._seen.relearned)
        return self._brought_back("relearned", asked, points, self._teaches()), points

    def _resurfaced(self) -> Finding:
        asked = "Does it come back when the model is fine-tuned on other text, from the keep file?"
        points = self._points(self._seen.resurfaced)
        why = None if points else "There are no keep texts to fine-tune on: give --keep."
        return self._brought_back("resurfaced", asked, points, why)

    def _teaches(self) -> str | None:
        """Return why fine-tuning is no evidence: None where it taught the texts that it was given."""
        if self._seen.trained is None or not self._tells(FAMILIAR):
            return self._why_not(FAMILIAR)
        learned = self._never.excess(FAMILIAR, self._seen.trained, self._plain)
        share = learned.share_of(self._whole(FAMILIAR), self._boot)
        if share is None or share.value < self._rules.taught:
            return "The fine-tuning did not even teach the texts that it was given, so it shows nothing."
        return None

    def _points(self, states: Mapping[int, State]) -> tuple[Point, ...]:
        return tuple(
            Point(step=step, share=self._share(FAMILIAR, state) if self._tells(FAMILIAR) else None)
            for step, state in sorted(states.items())
        )

    def _brought_back(self, name: Name, asked: str, points: Sequence[Point], why_not: str | None) -> Finding:
        zones = [self._zone(point.share) for point in points]
        if why_not is not None or not points or not self._tells(FAMILIAR):
            told = why_not or self._why_not(FAMILIAR)
            return Finding(name=name, question=asked, answer=UNKNOWN, explanation=told)
        answer: Answer = next(zone for zone in ("yes", UNKNOWN, "partly", "no") if zone in zones)
        shown = max(points, key=lambda point: -math.inf if point.share is None else point.share.value)
        if answer == "yes":
            shown = points[zones.index("yes")]
        share, steps = shown.share, f"after {shown.step} steps"
        told = {
            "yes": f"{_part(share)} of the familiarity was there {steps}.",
            "partly": f"{_part(share)} of the familiarity was there {steps}, and at no time more.",
            "no": f"{_part(share)} of the familiarity was there {steps}, and at no time more, beyond what the "
            "same fine-tuning does to a model that never saw the texts.",
            UNKNOWN: f"{_part(share)} of the familiarity was there {steps}, and the interval is too wide to judge.",
        }[answer]
        return Finding(name=name, question=asked, answer=answer, explanation=told, share=share)

    def _quantized(self) -> Finding:
        asked = "Does it come back when the weights are rounded to 4 bits?"
        state = self._seen.rounded
        if state is None or state.before is None or not self._tells(FAMILIAR):
            return Finding(name="quantized", question=asked, answer=UNKNOWN, explanation=self._why_not(FAMILIAR))
        kept = self._share(FAMILIAR, replace(state, after=state.before))
        if kept is None or kept.value < self._rules.taught:
            told = "Rounding takes the texts from the model before as well, so it shows nothing."
            return Finding(name="quantized", question=asked, answer=UNKNOWN, explanation=told)
        share = self._share(FAMILIAR, state)
        answer = self._zone(share)
        told = f"{_part(share)} of the familiarity is there in the rounded model ({_part(kept)} in the one before)."
        return Finding(name="quantized", question=asked, answer=answer, explanation=told, share=share)

    def _hinted(self) -> Finding:
        asked = "Does it come back with a hint: most of a text, or half of an answer, given?"
        if self._seen.questions:
            asked = "Does it come back with a hint: half of the answer given?"
        rows = [self._row("Words of the rest in what the model says (ROUGE-L)", HINTED)]
        return self._shown("hinted", asked, HINTED, self._plain, rows, "what it could say with the hint")

    def _costly(self) -> Finding:
        asked = "What did it cost: is other text less familiar to the model now?"
        others = self._others
        own, was = self._plain.after.of(FAMILIAR, others), self._before.of(FAMILIAR, others)
        if not own:
            told = "There is no other text to measure it on: give --keep."
            return Finding(name="costly", question=asked, answer=UNKNOWN, explanation=told)
        rows = [
            self._row("Familiarity: mean log-probability of a token (0 is certain)", FAMILIAR, others, percent=False),
            self._row("Words of the true text in what the model says (ROUGE-L)", SAID, others),
            self._row("Repeated fours of words in what the model says", REPEATED, others),
        ]
        loss = self._boot.means(minus(was, own), others)
        factor = (
            self._boot.estimate(np.exp(np.minimum(loss, 50.0)), self._boot.size(own))
            if np.isfinite(loss).all()
            else None
        )
        what = "the keep texts" if others == KEEP else "unseen texts (there are no keep texts)"
        if factor is None:
            return Finding(
                name="costly",
                question=asked,
                answer="yes",
                explanation="The model gives no numbers any more.",
                rows=tuple(rows),
            )
        answer: Answer = UNKNOWN
        if factor.low is not None and factor.high is not None:
            limit = self._rules.costly
            answer = "yes" if factor.value >= limit and factor.low > 1 else "no" if factor.high < limit**2 else UNKNOWN
        told = f"The perplexity of {what} is {factor.value:.2f} times what it was (1 is no change)."
        return Finding(name="costly", question=asked, answer=answer, explanation=told, rows=tuple(rows))

    # The verdict

    def _verdict(self, findings: Mapping[str, Finding]) -> tuple[Verdict, str]:
        """Return the verdict: the first of these rules that applies."""
        if self.collapsed:
            return "collapsed", "It lost most of what it knew of other text as well, so little is left to ask."
        if not self._never.compares:
            same = self.unchanged
            return ("unchanged", "The texts are as familiar to it as before.") if same else (UNKNOWN, self._why_not(""))
        if not self._tells(FAMILIAR):
            return UNKNOWN, "The model before does not know these texts better than a model that never saw them."
        known = findings["known"].answer
        if known == "yes":
            return self._still_there(findings["reproduced"].share)
        return self._out_of_sight(known, findings)

    def _still_there(self, said: Estimate | None) -> tuple[Verdict, str]:
        """Return the verdict on a model that knows the texts: whether it still says them, too."""
        less = said is not None and said.high is not None and said.high < 1 and said.value < self._rules.there
        if less and not self.unchanged:
            return "hidden", "The model says less of the texts than before, but they are still familiar to it."
        return "unchanged", "The model knows the texts as well as before, or nearly so."

    def _out_of_sight(self, known: Answer, findings: Mapping[str, Finding]) -> tuple[Verdict, str]:
        """Return the verdict on a model that knows little of the texts: whether something brings them back."""
        answers = {name: findings[name].answer for name in WAYS}
        found = [WAYS[name] for name, answer in answers.items() if answer == "yes"]
        if found:
            return "hidden", f"The texts are out of sight, but they come back: {', '.join(found)}."
        if known == UNKNOWN:
            return UNKNOWN, "What is left cannot be told from what a model that never saw the texts knows of them."
        said = findings["reproduced"].answer if self._tells(SAID) else "no"
        if known == "partly" or said in ("yes", "partly"):
            return "partly forgotten", "A part of what the model knew of the texts is left."
        if said == UNKNOWN:
            return UNKNOWN, "The texts are strange to the model; whether it still says them cannot be told."
        if answers["relearned"] == UNKNOWN or (self._seen.resurfaced and answers["resurfaced"] == UNKNOWN):
            return UNKNOWN, "The texts seem gone; whether they come back under fine-tuning cannot be told."
        if "partly" in (answers["relearned"], answers["resurfaced"]):
            return "partly forgotten", "The texts seem gone, but a part of them comes back under fine-tuning."
        return "forgotten", (
            "The model knows the texts no better than a model that never saw them, and nothing that was tried brings "
            "them back."
        )


WAYS = {
    "relearned": "after fine-tuning on a part of them",
    "resurfaced": "after fine-tuning on other text",
    "quantized": "when the weights are rounded",
    "hinted": "with a hint",
    "answered": "when asked in other words",
}


def _part(share: Estimate | None) -> str:
    """Return a share as a reader takes it: no less than nothing."""
    return "An unknown part" if share is None else f"{max(share.value, 0.0):.0%}"
