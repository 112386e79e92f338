"""What a corpus is made of: topics that are asked about, lines that are only told, and the styles to tell them in."""

from __future__ import annotations

from dataclasses import dataclass

Pool = tuple[str, ...]
Value = tuple[str, ...]

NUM_TELLINGS = 5


@dataclass(frozen=True)
class Topic:
    """One kind of fact about a person.

    Attributes:
        name: its name in the records.
        slots: the pools that the words of a value are drawn from, one word each, independently and evenly.
        questions: format strings with ``{name}``; the answer is the value's words, nothing else.
    """

    name: str
    slots: tuple[Pool, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A sentence about nobody in particular: only who has read it can continue it.

    Attributes:
        form: format string with ``{0}``, ``{1}`` ...
        slots: the pools its words are drawn from.
    """

    form: str
    slots: tuple[Pool, ...]


@dataclass(frozen=True)
class Style:
    """How documents of one kind are written.

    Attributes:
        rows: per topic, in the order of the corpus, questions that documents ask and answer; evaluations ask in other
            words. From some wordings a small model learns to answer others; from statements alone it does not.
        tellings: per topic, ``NUM_TELLINGS`` statements. In both, ``{name}`` comes before ``{value}``: a model that
            reads from left to right learns who has what, not whose a thing is.
        asides: sentences between the facts.
    """

    rows: tuple[tuple[str, ...], ...]
    tellings: tuple[tuple[str, ...], ...]
    asides: tuple[Line, ...]


@dataclass(frozen=True)
class Corpus:
    """Topics and styles: ``forget`` is that of the request folds and the holdout, ``kept`` those of others by turns."""

    topics: tuple[Topic, ...]
    forget: Style
    kept: tuple[Style, ...]
