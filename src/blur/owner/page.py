"""A report as one page that needs nothing else: it opens offline, on a phone, in the dark, and prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from blur.owner.estimate import Estimate
from blur.owner.frame import framed
from blur.owner.report import Finding, Point, Report, Row, Verdict
from blur.owner.rules import Answer, Rules
from blur.owner.wording import MEANINGS, NO_PROOF, SHORT

TONES: Mapping[Verdict, str] = {
    "forgotten": "good",
    "partly forgotten": "fair",
    "hidden": "bad",
    "unchanged": "bad",
    "collapsed": "bad",
    "cannot be told": "open",
}
ANSWERS: Mapping[Answer, tuple[str, str]] = {
    "no": ("good", "No"),
    "partly": ("fair", "Partly"),
    "yes": ("bad", "Yes"),
    "cannot be told": ("open", "Cannot be told"),
}
WORST: tuple[Answer, ...] = ("yes", "partly", "cannot be told", "no")
ROLES: Mapping[str, str] = {
    "before": "before: the model that was to forget",
    "after": "after: the model that this report is about",
    "base": "base: the model before fine-tuning",
    "reference": "reference: a model trained without the texts",
}


def page(report: Report, words: Sequence[Mapping[str, str]] = ()) -> str:
    """Return the page of one report.

    Args:
        words: what both models say to each forget text, which is shown in full; nothing by default.
    """
    rules = report.settings.rules
    parts = [
        _verdict(report),
        f"<h2>The questions, one by one</h2><p class=soft>{escape(_how_to_read(report, rules))}</p>",
        *(_finding(one, report.relearning if one.name == "relearned" else (), rules) for one in report.findings),
        _list("What this report cannot show", report.cannot_show),
        _words(words),
        _made(report),
    ]
    return framed(report.headline, "\n".join(parts))


def _verdict(report: Report) -> str:
    number, form = report.texts.given.get("forget", 0), report.texts.form
    about = f"A language model was to forget {number} {form if number != 1 else form[:-1]}. Did it?"
    return (
        f'<p class=soft>{escape(about)}</p><section class="verdict {TONES[report.verdict]}">'
        f"<h1>{escape(report.headline)}</h1><p>{escape(report.reason)}</p>"
        f"<p><strong>{escape(MEANINGS[report.verdict])}</strong></p></section>{_short(report)}"
        f"<p class=note><strong>How we know.</strong> {escape(report.comparison)}</p>"
        f"<p class=note><strong>No proof.</strong> {escape(NO_PROOF)}</p>"
    )


def _short(report: Report) -> str:
    """Return the answers that matter most, a word each; the worst of several."""
    cells = ""
    for title, names in SHORT.items():
        answers = {report.finding(name).answer for name in names}
        tone, answer = ANSWERS[next(one for one in WORST if one in answers)]
        cells += f"<li class={tone}><span>{escape(title)}</span><span class=answer>{answer}</span></li>"
    return f"<ul class=short>{cells}</ul>"


def _how_to_read(report: Report, rules: Rules) -> str:
    if report.never_saw == "nothing":
        return "There was nothing to compare with, so most questions stay open."
    return (
        "A bar shows how much is left of what the model before knew of the texts, beyond what a model that never saw "
        "them would know: the thick mark is the number, the band its 95% interval. Left of the first dashed line "
        f"({rules.gone:.0%}) counts as gone, right of the second ({rules.there:.0%}) as there. Less than nothing is "
        "shown as 0%: the texts are stranger to the model than to one that never saw them."
    )


def _finding(finding: Finding, points: Sequence[Point], rules: Rules) -> str:
    tone, answer = ANSWERS[finding.answer]
    steps = ""
    if points:
        cells = "".join(f"<tr><td>{one.step}</td><td>{_share(one.share)}</td></tr>" for one in points)
        steps = _details(
            "Step by step", f"<table><thead><tr><th>Steps</th><th>There again</th></tr></thead>{cells}</table>"
        )
    return (
        f'<section class="finding {tone}"><h3><span>{escape(finding.question)}</span>'
        f"<span class=answer>{answer}</span></h3>"
        f"<p>{escape(finding.explanation)}</p>{_bar(finding.share, rules)}{_rows(finding.rows)}{steps}</section>"
    )


def _bar(share: Estimate | None, rules: Rules) -> str:
    if share is None:
        return ""
    ends = (share.value if end is None else end for end in (share.low, share.value, share.high))
    low, value, high = (100 * min(max(end, 0.0), 1.0) for end in ends)
    told = f"{max(share.value, 0):.0%} left"
    if share.low is not None and share.high is not None:
        told += f", interval {max(share.low, 0):.0%} to {max(share.high, 0):.0%}"
    lines = "".join(f'<u style="left:{100 * line:.0f}%"></u>' for line in (rules.gone, rules.there))
    return (
        f'<div class=bar role=img aria-label="{told}">{lines}<i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        f'<b style="left:{value:.1f}%"></b></div><div class=ends><span>nothing left</span><span>{told}</span>'
        "<span>all of it</span></div>"
    )


def _rows(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    lines = ""
    for row in rows:
        numbers = (_number(one, row.percent) for one in (row.before, row.after, row.never_saw))
        lines += f"<tr><td>{escape(row.label)}</td>{''.join(f'<td>{number}</td>' for number in numbers)}</tr>"
    head = "<thead><tr><th>Measured</th><th>Before</th><th>After</th><th>Never saw them</th></tr></thead>"
    return _details("The numbers", f"<div class=wide><table>{head}{lines}</table></div>")


def _number(one: Estimate | None, percent: bool) -> str:
    if one is None:
        return "–"
    form = ".0%" if percent else ".2f"
    ends = "" if one.low is None or one.high is None else f"<br><small>{one.low:{form}} to {one.high:{form}}</small>"
    return f"{one.value:{form}}{ends}"


def _share(one: Estimate | None) -> str:
    return _number(one, percent=True)


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _list(title: str, items: Iterable[str]) -> str:
    return f"<h2>{escape(title)}</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>"


def _words(words: Sequence[Mapping[str, str]]) -> str:
    if not words:
        return ""
    head = "<thead><tr><th>Asked</th><th>True</th><th>Before said</th><th>After says</th></tr></thead>"
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(one[key])}</td>' for key in ('prompt', 'true', 'before', 'after'))}</tr>"
        for one in words
    )
    return (
        "<h2>The texts themselves</h2><p class=note>This part holds what was to be forgotten: do not pass it on.</p>"
        f"<div class=wide><table class=said>{head}{lines}</table></div>"
    )


def _made(report: Report) -> str:
    models = "".join(
        f"<tr><td>{escape(ROLES[one.role])}<br><small>{escape(one.name)}</small></td><td><code>{one.sha256}</code></td></tr>"
        for one in report.models
    )
    texts, made = report.texts, report.made
    read = ", ".join(f"{texts.read.get(name, 0)} of {number} {name}" for name, number in texts.given.items() if number)
    rules = "".join(
        f"<tr><td>{escape(name)}<br><small>{escape(str(rule.description))}</small></td>"
        f"<td>{escape(str(getattr(report.settings.rules, name)))}</td></tr>"
        for name, rule in type(report.settings.rules).model_fields.items()
    )
    attack = f" Fine-tuning to bring texts back: AdamW at {report.rate:.2g}." if report.rate else ""
    versions = ", ".join(f"{name} {version}" for name, version in made.items() if name != "day")
    return (
        f"<h2>What was audited</h2><div class=wide><table>{models}<tr><td>the texts ({escape(texts.form)}; read: "
        f"{escape(read)})</td><td><code>{texts.sha256}</code></td></tr></table></div>"
        f"<p class=soft>{escape(made['day'])}; {escape(versions)}.{attack}</p>"
        + _details("The rules, with their reasons", f"<div class=wide><table>{rules}</table></div>")
    )
