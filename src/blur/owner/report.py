"""What an audit tells, as data: the form of `report.json`. No text that was to be forgotten is in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blur.core.settings import Strict
from blur.owner.estimate import Estimate
from blur.owner.evidence.reading import Kind
from blur.owner.evidence.settings import AuditSettings
from blur.owner.rules import Answer

Verdict = Literal["forgotten", "partly forgotten", "hidden", "unchanged", "collapsed", "cannot be told"]
Role = Literal["before", "after", "base", "reference"]
Name = Literal[
    "reproduced",
    "answered",
    "known",
    "told_apart",
    "relearned",
    "resurfaced",
    "quantized",
    "hinted",
    "costly",
]


class Row(Strict):
    """One measure of the three models that are compared; None where there is no number."""

    label: str
    before: Estimate | None
    after: Estimate | None
    never_saw: Estimate | None = Field(
        default=None, description="of a model that never saw the texts, measured or estimated"
    )
    percent: bool = Field(default=True, description="whether the numbers are shares")


class Finding(Strict):
    """The answer to one question."""

    name: Name
    question: str
    answer: Answer
    explanation: str
    share: Estimate | None = Field(
        default=None,
        description="of what the model before knew beyond a model that never saw the texts: 1 is all of it, 0 none",
    )
    rows: tuple[Row, ...] = ()


class Point(Strict):
    """How much is back after some steps of fine-tuning."""

    step: int
    share: Estimate | None


class Model(Strict):
    """One of the models: what it was called, and the hash of its content."""

    role: Role
    name: str
    sha256: str


class Texts(Strict):
    """The texts: how many there are and were looked at, and the hash of their content."""

    form: Literal["questions", "documents"]
    sha256: str
    given: dict[str, int]
    read: dict[str, int]


class Report(Strict):
    """An audit.

    Approximate unlearning is no proof of removal: a report says what was looked for and not found.
    """

    schema_version: Literal[1] = 1
    verdict: Verdict
    headline: str
    reason: str
    never_saw: Kind = Field(description="how it is known what a model that never saw the texts would show")
    comparison: str = Field(description="the same in a sentence")
    findings: tuple[Finding, ...]
    relearning: tuple[Point, ...]
    rate: float | None = Field(description="learning rate of that fine-tuning, and of the one on keep texts")
    cannot_show: tuple[str, ...]
    models: tuple[Model, ...]
    texts: Texts
    settings: AuditSettings
    made: dict[str, str] = Field(description="day, and versions of this program and of the libraries that it used")

    def finding(self, name: Name) -> Finding:
        """Return the answer to one question."""
        return next(one for one in self.findings if one.name == name)
