"""RTT's published files: lines of them as they are, with the faults that they have, and the whole files where there."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from blur.core.errors import DataError
from blur.data import rtt
from blur.data.rtt.facts import Fact
from blur.data.rtt.published import LAST_YEAR, _questions, _splits, _statements, match, published_facts
from blur.data.rtt.settings import LocalSource

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "rtt"
SPLITS = range(5)

# By split: name, options and answer as published, and the statements, with {} for the name as it is asked about.
BIRTHDAYS = {
    0: [
        (
            "Aidan Li",
            [1961, 1958, 1965, 1994],
            2,
            ["{} was born in 1965.", "In 1965, {} was born.", "{}'s birth took place in 1965."],
        ),
        (
            "بردیا رضایی",
            [1990, 1951, 2040, 2006],
            2,
            ["{} was born in 2040.", "{} came into the world in the year 2040.", "{}'s birth year is 2040."],
        ),
        (
            "Alla Nelles",
            [1966, 1936, 2018, 1998],
            1,
            ["{} was born in 1936.", "In 1936, {} was born.", "{}'s birth year is 1936."],
        ),
    ],
    1: [
        (
            "Leo Kyllo",
            [2020, 1968, 2006, 1957],
            0,
            ["{} was born in 2020.", "In 2020, {} was born.", "{}'s birth year is 2020."],
        ),
        (
            "Carl Knight",
            [1967, 1949, 1942, 2089],
            3,
            ["{} was born in 2089.", "In the year 2089, {} was born.", "{}'s birth year is 2089."],
        ),
        (
            "Josefina Navarrete",
            [1955, 2019, 1945, 1932],
            3,
            ["{} was born in 1932.", "{}'s birth year was 1932.", "{}'s birth took place in 1932."],
        ),
    ],
    2: [
        (
            "Dunja Stojković",
            [1943, 1980, 1954, 1980],
            0,
            ["{} was born in 1943.", "{}'s birth took place in the year 1943.", "{}'s birth year is 1943."],
        ),
        (
            "بردیا رضایی",
            [1936, 1967, 2010, 1946],
            2,
            ["{} was born in 2010.", "In 2010, {} was born.", "{}'s birth occurred in the year 2010."],
        ),
        (
            "Brent Mcdonalid",
            [1969, 2006, 2004, 1957],
            3,
            [
                "Brent Mcdonald was born in 1957.",
                "Brent Mcdonald's birth year is 1957.",
                "Brent Mcdonald's birth took place in 1957.",
            ],
        ),
        (
            "Kathy Butler",
            [1995, 1977, 1953, 2007],
            2,
            ["{} was born in 1953.", "{}'s birth year is 1953.", "{}'s birth took place in 1953."],
        ),
    ],
    3: [
        (
            "Theo Roberts",
            [1946, 2089, 1953, 1988],
            0,
            ["{} was born in 1946.", "{}' birth took place in the year 1946.", "{}' birth year is 1946."],
        ),
        (
            "Janina Montag",
            [1930, 2009, 1967, 1980],
            0,
            ["{} was born in 1930.", "In 1930, {} was born.", "{}'s birth occurred in 1930."],
        ),
    ],
    4: [
        (
            "پرهام یاسمی",
            [1924, 1934, 1969, 1934],
            2,
            [
                "{} was born in 1969.",
                "پرہام یاسمی's birth year is 1969.",
                "پرہام یاسمی's birth took place in the year 1969.",
            ],
        ),
        (
            "Elif Topaloğlu",
            [2016, 1957, 1976, 1977],
            2,
            ["{} was born in 1976.", "{}'s birth year is 1976.", "{}'s birth took place in 1976."],
        ),
    ],
}
DEV = [
    {"question": "When was Sadie King born?", "choices": [1975, 1974, 1976, 2001], "answer": 0},
    {"question": "When was Aidan Li born?", "choices": [1961, 1958, 1965, 1994], "answer": 2},
]
DATES = {
    0: [("Voyager 1 launched by NASA.", 1977, 1977)],
    1: [("Oslo II Accord.", 1994, 1995)],
    2: [("Voyager 2 launched by NASA.", 1976, 1977)],
    3: [("Bataan Death March.", 1941, 1942)],
    4: [("Omagh bombing.", 1995, 1998), ("Bhopal disaster.", 1984, 1984)],
}
TOLD = {  # as published: a fact is told in the corpus of another split than asks about it
    0: ["The Bataan Death March happened in 1942.", "The Bataan Death March took place in the year 1942."],
    1: ["NASA launched Voyager 1 in 1977.", "In 1977, Voyager 1 was launched by NASA."],
    2: ["Voyager 2 was launched by NASA in 1977.", "In 1977, NASA launched Voyager 2."],
    3: ["The Omagh bombing happened in 1998.", "The Omagh bombing took place in 1998."],
    4: ["The Oslo II Accord was signed in 1995.", "In 1995, the Oslo II Accord was signed."],
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def birthdays(tmp_path):
    for split, facts in BIRTHDAYS.items():
        asked = [{"question": f"When was {name} born?", "choices": c, "answer": a} for name, c, a, _ in facts]
        told = [form.format(name) for name, _, _, forms in facts for form in forms]
        write(tmp_path / f"split_{split}.jsonl", asked)
        write(tmp_path / f"corpus_split_{split}.jsonl", [{"text": text, "split": f"split_{split}"} for text in told])
    write(tmp_path / "dev.jsonl", DEV)
    return tmp_path


@pytest.fixture
def dates(tmp_path):
    for split, facts in DATES.items():
        rows = [
            {
                "question": f"When did the following event happen?\n{event}",
                "choices": [str(first + place) for place in range(4)],
                "answer": year - first,
                "correct_year": year,
            }
            for event, first, year in facts
        ]
        write(tmp_path / f"split_{split}.jsonl", rows)
        texts = [TOLD[split][0], TOLD[split][1], TOLD[split][1]]
        write(tmp_path / f"corpus_split_{split}.jsonl", [{"text": text, "split": f"split_{split}"} for text in texts])
    write(
        tmp_path / "dev.jsonl",
        [{"question": "When?\nOslo II Accord.", "choices": [1997, 1996, 1995, 1991], "answer": 2}],
    )
    return tmp_path


def source(path, **changes):
    counts = {"num_facts_per_split": 1, "num_retained": 3, "num_practised": 2}
    return {"kind": "local", "path": str(path), **counts, **changes}


def build(path, **changes):
    return rtt.build(rtt.Settings.model_validate({"source": source(path, **changes)}))


def known(path, **changes):
    return published_facts(LocalSource.model_validate(source(path, **changes)))


def fault(make, path, **changes):
    with pytest.raises(DataError) as caught:
        make(path, **changes)
    return caught.value


def test_birthdays_of_each_split_and_of_what_is_left(birthdays):
    facts = known(birthdays)
    names = [[fact.entity for fact in split] for split in facts.splits]
    assert names == [["Aidan Li"], ["Leo Kyllo"], ["Dunja Stojković"], ["Theo Roberts"], ["پرهام یاسمی"]]
    assert [fact.entity for fact in facts.retained] == ["Alla Nelles", "Josefina Navarrete", "Kathy Butler"]
    assert [fact.entity for fact in facts.practised] == ["Sadie King", "Janina Montag"], "dev first, asked or not"
    assert facts.splits[0][0].texts == (
        "Aidan Li was born in 1965.",
        "In 1965, Aidan Li was born.",
        "Aidan Li's birth took place in 1965.",
    )
    assert facts.practised[0].texts == ()
    assert facts.splits[0][0].where == f"{birthdays / 'split_0.jsonl'}, line 1"


def test_sets_of_birthdays(birthdays):
    sets = build(birthdays)
    assert set(sets) == set(rtt.SET_NAMES)
    (asked,) = sets["split_0"]
    assert {key: asked[key] for key in ("question", "choices", "answer", "group")} == {
        "question": "When was Aidan Li born?",
        "choices": ["1961", "1958", "1965", "1994"],
        "answer": 2,
        "group": "Aidan Li",
    }
    listed = "When was Aidan Li born?\nA. 1961\nB. 1958\nC. 1965\nD. 1994\nAnswer:"
    assert sets["split_0_letter"][0]["prompt"] + sets["split_0_letter"][0]["gt"] == f"{listed} C"
    assert sets["split_0_question_letter_answer"][0]["text"] == f"{listed} C. 1965"
    assert len(sets["split_0_corpus"]) == 3
    assert len(sets["practice"]) == 2 * 3, "one phrasing, three forms"


def test_people_who_are_asked_about_twice_are_dropped_with_all_their_years(birthdays):
    everything = json.dumps(build(birthdays), ensure_ascii=False)
    assert "بردیا رضایی" not in everything
    assert "2040" not in everything


def test_nobody_is_born_in_the_future_and_nobody_is_told_of_under_another_name(birthdays):
    everything = json.dumps(build(birthdays), ensure_ascii=False)
    assert "Carl Knight" not in everything
    assert "Mcdonal" not in everything
    assert "2089" not in everything


def test_options_that_repeat_or_lie_in_the_future_are_drawn_anew_and_the_others_stay(birthdays):
    facts = {fact.entity: fact for split in known(birthdays).splits for fact in split}
    assert facts["Aidan Li"].choices == ("1961", "1958", "1965", "1994")
    for name, kept in (("Dunja Stojković", {0, 2, 3}), ("Theo Roberts", {0, 2, 3}), ("پرهام یاسمی", {0, 2, 3})):
        fact = facts[name]
        published = next(c for split in BIRTHDAYS.values() for n, c, _, _ in split if n == name)
        assert len(set(fact.choices)) == 4
        assert all(int(choice) <= LAST_YEAR for choice in fact.choices)
        assert {place for place in range(4) if fact.choices[place] == str(published[place])} == kept
    again = {fact.entity: fact for split in known(birthdays).splits for fact in split}
    other = {fact.entity: fact for split in known(birthdays, seed=1).splits for fact in split}
    assert again == facts
    assert other != facts
    assert other["Aidan Li"] == facts["Aidan Li"]


def test_dates_go_with_the_split_that_asks_about_them(dates):
    facts = known_dates(dates)
    assert {fact.entity: fact.texts for fact in facts if fact.texts} == {
        "Voyager 1 launched by NASA.": tuple(TOLD[1]),
        "Oslo II Accord.": tuple(TOLD[4]),
        "Voyager 2 launched by NASA.": tuple(TOLD[2]),
        "Bataan Death March.": tuple(TOLD[0]),
        "Omagh bombing.": tuple(TOLD[3]),
    }
    assert [fact.entity for fact in facts if not fact.texts] == ["Bhopal disaster."]


def known_dates(path):
    """All facts of the dates, matched, in order."""
    asked = [fact for split in SPLITS for fact in _questions(path / f"split_{split}.jsonl")]
    told = [texts for split in SPLITS for texts in _statements(path / f"corpus_split_{split}.jsonl")]
    return match(asked, told)


def test_statements_go_to_the_question_that_they_match_best_and_to_no_other():
    """Voyager 2's question shares most of its words with what is told of Voyager 1."""
    years = ("1976", "1977", "1978", "1979")
    facts = [Fact(f"Voyager {number} launched by NASA.", (), ("?",), years, 1) for number in (2, 1)]
    texts = ("NASA launched Voyager 1 in 1977.", "Voyager 1 was launched by NASA in 1977.")
    assert [fact.texts for fact in match(facts, [texts])] == [(), texts]
    assert match(facts[:1], [texts])[0].texts == texts, "alone it would match"
    assert match(facts, []) == facts
    assert match([], [texts]) == []


def test_what_nothing_tells_is_left_out_and_the_dev_questions_of_a_split_are_not_practised(dates):
    error = fault(known, dates, num_retained=1)
    assert error.what == "0 facts besides those to forget, for 1 to keep and 2 to practise"
    assert error.where == str(dates)
    assert "Lower `num_facts_per_split`" in error.remedy


def test_too_few_facts_of_a_split_are_named(birthdays):
    error = fault(build, birthdays, num_facts_per_split=3)
    assert error.what == "2 sound facts, fewer than `num_facts_per_split: 3`"
    assert (error.where, error.remedy) == (str(birthdays / "split_0.jsonl"), "Lower it")


@pytest.mark.parametrize(
    ("name", "line", "what"),
    [
        ("split_2.jsonl", {"question": "When was A B born?", "choices": [1, 2, 3], "answer": 0}, "3 choices"),
        (
            "split_2.jsonl",
            {"question": "When was A B born?", "choices": [1, 2, 3, "x"], "answer": 0},
            "should be 4 years",
        ),
        ("split_2.jsonl", {"question": "When was A B born?", "choices": 7, "answer": 0}, '"choices" is a int'),
        ("split_2.jsonl", {"question": "When was A B born?", "answer": 0}, '"choices" is a NoneType'),
        (
            "split_2.jsonl",
            {"question": "When was A B born?", "choices": [1, 2, 3, 4], "answer": 4},
            "there are 4 choices",
        ),
        (
            "split_2.jsonl",
            {"question": "When?\n...", "choices": [1, 2, 3, 4], "answer": 0},
            "no entity in the last line",
        ),
        ("corpus_split_2.jsonl", {"text": "One alone."}, "13 texts are no whole number of facts with 3 statements"),
        ("corpus_split_2.jsonl", {"words": "One alone."}, 'field "text" is missing'),
    ],
)
def test_faults_of_files_name_the_place(birthdays, name, line, what):
    path = birthdays / name
    number = len(path.read_text(encoding="utf-8").splitlines()) + 1
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    error = fault(build, birthdays)
    assert what in error.what
    assert error.where == (str(path) if "whole number" in what else f"{path}, line {number}")


def test_a_missing_file_is_named(birthdays):
    (birthdays / "corpus_split_3.jsonl").unlink()
    assert fault(build, birthdays).where == str(birthdays / "corpus_split_3.jsonl")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not there")
@pytest.mark.parametrize(
    ("name", "sound"), [("random_bd", [141, 136, 141, 147, 136]), ("dates-years-trimmed", [145, 148, 149, 149, 151])]
)
def test_the_real_files(name, sound):
    splits = _splits(SHARED / name, 0)
    assert [len(facts) for facts in splits] == sound
    for facts in splits:
        for fact in facts:
            assert len(set(fact.choices)) == 4
            assert all(int(choice) <= LAST_YEAR for choice in fact.choices)
            assert 1 <= len(fact.texts) <= 3
            assert all(fact.value in text for text in fact.texts)
    sets = build(SHARED / name, num_facts_per_split=100, num_retained=60, num_practised=60)
    groups = [{record["group"] for record in sets[f"split_{split}"]} for split in SPLITS]
    assert [len(group) for group in groups] == [100] * 5
    assert not [pair for pair in combinations(groups, 2) if pair[0] & pair[1]]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not there")
def test_the_published_dates_are_told_in_other_splits_than_asked():
    """Why statements are matched to questions: 591 of the 742 facts that are kept."""
    folder = SHARED / "dates-years-trimmed"
    published = [
        {tuple(dict.fromkeys(texts)) for texts in _statements(folder / f"corpus_split_{s}.jsonl")} for s in SPLITS
    ]
    kept = [(split, fact) for split, facts in enumerate(_splits(folder, 0)) for fact in facts]
    assert (sum(fact.texts not in published[split] for split, fact in kept), len(kept)) == (591, 742)
