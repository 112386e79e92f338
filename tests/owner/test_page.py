"""The page: whole by itself, sound HTML, and nothing on it that the report does not say."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from blur.owner import compare
from blur.owner.page import page
from blur.owner.wording import NO_PROOF
from tests.owner.evidences import BEFORE, NEVER, evidence, judged, reading, report

VOID = {"meta", "link", "br"}
REPORTS = {
    "forgotten": report(judged(evidence(NEVER))),
    "hidden": report(judged(evidence(NEVER, back=-0.8))),
    "unchanged": report(judged(evidence(BEFORE))),
    "collapsed": report(judged(evidence(reading(-6.0, other=-5.0)))),
}


class Checker(HTMLParser):
    """Every tag is closed in its order; addresses of other files are kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open += [tag] if tag not in VOID else []
        self.addresses += [str(value) for name, value in attributes if name in ("src", "href", "srcset", "action")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", REPORTS)
def test_it_needs_nothing_else(name: str) -> None:
    made = page(REPORTS[name])
    found = Checker(made)
    assert found.open == []
    assert found.addresses == ["data:,"]
    assert "http" not in made
    assert "<script" not in made
    assert "url(" not in made
    assert "@import" not in made
    assert "$" not in made


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_screen_has_verdict_reason_and_no_proof(name: str) -> None:
    first = page(REPORTS[name]).partition("<h2>")[0]
    assert REPORTS[name].headline in first
    assert NO_PROOF in first
    assert REPORTS[name].comparison in first


def test_names_and_texts_are_escaped() -> None:
    made = page(
        report(judged(evidence(NEVER)), name="<b>&x"), [dict.fromkeys(("prompt", "true", "before", "after"), "<i>")]
    )
    assert "<b>&x" not in made
    assert "&lt;b&gt;&amp;x" in made
    assert made.count("&lt;i&gt;") == 4
    assert Checker(made).open == []


def test_candidates_stand_beside_each_other() -> None:
    told = compare.table(REPORTS).splitlines()
    assert [line.split()[0] for line in told] == ["verdict", *REPORTS]
    assert "yes (88%)" in told[2]
    made = compare.page(REPORTS)
    found = Checker(made)
    assert (found.open, found.addresses) == ([], ["data:,"])
    assert NO_PROOF in made


def test_short_names_of_candidates() -> None:
    assert compare.names_of(["./a/", "b/c"]) == ["a", "c"]
    assert compare.names_of(["a/x", "b/x"]) == ["a/x", "b/x"]
