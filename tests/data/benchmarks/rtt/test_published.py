"""RTT's published files: lines of them as they are, with the faults that they have, and the whole files where there."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

import pytest

from blur.core.errors import DataError
from blur.data.benchmarks import rtt
from blur.data.benchmarks.rtt import published
from blur.data.benchmarks.rtt.facts import Fact
from blur.data.benchmarks.rtt.published import LAST_YEAR, _questions, _splits, _statements, match, published_facts
from blur.data.benchmarks.rtt.settings import LocalSource
from blur.data.world.draw import stream
from tests.data.benchmarks.rtt.published_files import BIRTHDAYS, TOLD, write_birthdays, write_dates

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "rtt"
SPLITS = range(5)


@pytest.fixture
def birthdays(tmp_path):
    return write_birthdays(tmp_path)


@pytest.fixture
def dates(tmp_path):
    return write_dates(tmp_path)


def source(path, **changes):
    counts = {"num_facts_per_split": 1, "num_retained": 3, "num_practised": 2}
    return {"kind": "local", "path": str(path), **counts, **changes}


def build(path, **changes):
    return rtt.Data.model_validate({"source": source(path, **changes)}).build()


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
    ("name", "sound"), [("random_bd", [141, 136, 141, 147, 136]), ("dates-years-trimmed", [126, 124, 126, 132, 130])]
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
    """Why statements are matched to questions: 509 of the 638 facts that are kept."""
    folder = SHARED / "dates-years-trimmed"
    published = [
        {tuple(dict.fromkeys(texts)) for texts in _statements(folder / f"corpus_split_{s}.jsonl")} for s in SPLITS
    ]
    kept = [(split, fact) for split, facts in enumerate(_splits(folder, 0)) for fact in facts]
    assert (sum(fact.texts not in published[split] for split, fact in kept), len(kept)) == (509, 638)


@pytest.mark.parametrize(
    ("one", "other", "years", "dropped"),
    [
        ("Berlin Blockade begins.", "The Berlin Blockade ends.", (1948, 1949), True),
        ("The Uganda–Tanzania War begins.", "The Uganda–Tanzania War ends.", (1978, 1979), True),
        ("John Paul I becomes pope.", "John Paul I dies.", (1978, 1978), True),
        ("Bob Dylan plays.", "Bob Dylan sings.", (1963, 1965), True),
        ("Bob Dylan plays.", "Bob Dylan sings.", (1963, 1966), False),
        ("The Berlin Wall is built.", "Berlin Blockade ends.", (1961, 1961), False),
        ("The Empire ends.", "The Empire begins.", (1900, 1900), False),
    ],
)
def test_facts_near_each_other_that_share_a_name_are_dropped(one, other, years, dropped):
    facts = [
        Fact(entity, (f"{entity} {year}",), (entity,), tuple(str(year + add) for add in range(4)), 0)
        for entity, year in zip((one, other), years, strict=True)
    ]
    unlike = Fact("Something else happens.", ("It was 1949.",), ("When?",), ("1949", "1950", "1951", "1952"), 0)
    assert published._shared([*facts, unlike]) == ({0, 1} if dropped else set())


def test_years_drawn_for_wrong_options_are_normal_within_the_past():
    """Against the truncated distribution in closed form: shares of four spans, 4000 draws."""
    rng, births = stream(0, "test"), NormalDist(1980, 30)
    drawn = [published._birth_year(rng) for _ in range(4000)]
    total = births.cdf(2025) - births.cdf(1)
    for first, end in ((1, 1950), (1950, 1980), (1980, 2010), (2010, 2025)):
        share = (births.cdf(end) - births.cdf(first)) / total
        found = sum(first <= year < end for year in drawn) / 4000
        assert abs(found - share) < 4 * (share * (1 - share) / 4000) ** 0.5
