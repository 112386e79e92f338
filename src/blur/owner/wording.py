"""What a report says in plain words, for a reader who does not know the field."""

from __future__ import annotations

from collections.abc import Mapping

from blur.owner.evidence.reading import Kind, NeverSaw
from blur.owner.report import Name, Verdict

NO_PROOF = (
    "Approximate unlearning is no proof of removal. This report says what was looked for and not found; whoever has "
    "the weights can look for longer."
)
HEADLINES: Mapping[Verdict, str] = {
    "forgotten": "Forgotten: no trace of the texts was found",
    "partly forgotten": "Partly forgotten: some of the texts is left",
    "hidden": "Hidden, not forgotten: the texts come back",
    "unchanged": "Unchanged: the texts are still there",
    "collapsed": "Collapsed: the model is broken",
    "cannot be told": "Cannot be told from what there is",
}
MEANINGS: Mapping[Verdict, str] = {
    "forgotten": "As far as this report looked, the model behaves like one that was never trained on the texts.",
    "partly forgotten": "Do not treat the texts as removed. Unlearn for longer, and audit again.",
    "hidden": "Do not treat the texts as removed. Whoever has the model's files can bring them back.",
    "unchanged": "Do not treat the texts as removed. The model still has them.",
    "collapsed": "The model is of no use as it is. Unlearn more gently (a lower rate, fewer steps), and audit again.",
    "cannot be told": "Do not treat the texts as removed. Give more to compare with, or more texts, and audit again.",
}
SHORT: Mapping[str, tuple[Name, ...]] = {
    "It still says them": ("reproduced",),
    "They are familiar to it": ("known",),
    "Something brings them back": ("relearned", "resurfaced", "quantized", "hinted"),
    "Other text suffered": ("costly",),
}
COMPARISONS: Mapping[Kind, str] = {
    "reference": "A reference model that was trained without the texts shows what a model that never saw them knows.",
    "base and unseen texts": "The model before fine-tuning, and what fine-tuning did to comparable unseen texts, show "
    "what a model that never saw the texts would know (a difference in differences).",
    "base": "The model before fine-tuning shows the least that a model which never saw the texts would know. What "
    "fine-tuning teaches about such texts in general is not known without comparable unseen texts (--unseen).",
    "unseen texts": "Unseen texts of the same source show how well a model knows texts that it never saw.",
    "nothing": "There is nothing to compare with, so little can be told. Give a model trained without the texts "
    "(--reference), the model before fine-tuning (--base), or comparable texts that it never saw (--unseen).",
}


def cannot_show(never: NeverSaw, form: str, groups: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a report like this cannot show."""
    told = [
        NO_PROOF,
        "Attacks that were not tried: longer or larger fine-tuning, other languages, sampling many answers, reading "
        "the activations.",
    ]
    if form == "documents":
        told.append("Whether facts of the documents are answered in other words: there are no questions about them.")
    if never.kind == "base":
        told.append("Anything between 'gone' and 'as before': what fine-tuning taught in general is not known.")
    if never.kind == "unseen texts":
        told.append("Whether the unseen texts are really comparable: if they are easier or harder, so is the verdict.")
    if len(set(groups.values())) == len(groups):
        told.append(
            "Which texts belong together: each is taken as independent of all others (a column `group` says more)."
        )
    return tuple(told)
