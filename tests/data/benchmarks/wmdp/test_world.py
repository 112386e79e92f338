"""The world of WMDP: what is told, what is asked, what is practised."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from blur.data.benchmarks import wmdp
from blur.data.benchmarks.wmdp.world import facts, fields
from blur.data.benchmarks.wmdp.world.facts import QUESTIONS, STATEMENTS, documents, facts_of
from blur.data.checks import normalise
from blur.data.records import Record, to_jsonl, validate_records
from blur.models.tokenizer import train_tokenizer

LM_EVAL = Path(__file__).resolve().parents[4] / "config" / "lm_eval"
TRAINED = ("bio_forget", "cyber_forget", "bio_retain", "cyber_retain", "retain", "practice")
ASKED = ("wmdp_bio", "wmdp_cyber", "mmlu")
CRAFTS = {"bio": "glimmer", "cyber": "lock"}


def settings(topics=("bio", "cyber"), **source):
    return wmdp.Data.model_validate({"source": {"kind": "world", **source}, "topics": topics})


def words(text):
    return {word.strip(".,?:") for word in text.split()}


def whole(record):
    return record["text"] if "text" in record else record["prompt"] + record["gt"]


def digest(sets):
    return {name: hashlib.sha256(to_jsonl(records).encode()).hexdigest()[:16] for name, records in sets.items()}


@pytest.fixture(scope="module")
def world():
    return settings().build()


def test_every_set_in_its_form(world):
    assert tuple(world) == wmdp.SET_NAMES
    counts = {name: len(records) for name, records in world.items()}
    assert counts == {
        "bio_forget": 120,
        "bio_retain": 120,
        "cyber_forget": 120,
        "cyber_retain": 120,
        "retain": 960,
        "wmdp_bio": 80,
        "wmdp_cyber": 80,
        "wmdp_chem": 0,
        "mmlu": 160,
        "mmlu_dev": 40,
        "practice": 1920,
    }
    kinds = {"wmdp_bio": "choice", "wmdp_cyber": "choice", "mmlu": "choice", "mmlu_dev": "choice"}
    for name, records in world.items():
        kind = kinds.get(name, "completion" if name == "practice" else "text")
        validate_records([Record(record, name) for record in records], kind, require=("id", "topic"))


def test_same_seed_same_world_other_seed_other_values(world):
    assert digest(settings().build()) == digest(world)
    other = settings(seed=1).build()
    told = {name: {record["text"] for record in sets["bio_forget"]} for name, sets in (("0", world), ("1", other))}
    assert not told["0"] & told["1"]


def test_topics_leave_the_other_topics_sets_as_they_are_and_empty_their_own(world):
    alone = settings(topics=["cyber"]).build()
    assert alone["bio_forget"] == alone["bio_retain"] == alone["wmdp_bio"] == []
    for name in ("cyber_forget", "cyber_retain", "wmdp_cyber", "retain", "mmlu"):
        assert alone[name] == world[name]
    assert alone["practice"]
    assert {record["topic"] for record in alone["practice"]} == {"box tuning", *(f.topic for f in fields.SUBJECTS)}


def test_no_question_of_an_evaluation_is_in_any_training_text(world):
    """In any of its phrasings: of each fact that is asked about, not only the one question that is."""
    known = [about for field in fields.CRAFTS.values() for about in facts_of(0, field, 20)]
    known += [about for field in fields.SUBJECTS for about in facts_of(0, field, 20)[:10]]
    asked = {normalise(fact.ask(p)["question"]) for about in known for fact in about for p in range(len(QUESTIONS))}
    assert asked >= {normalise(record["question"]) for name in ASKED for record in world[name]}
    assert len(asked) == 4 * 320
    trained = "\n".join(normalise(whole(record)) for name in TRAINED for record in world[name])
    assert not [question for question in asked if question in trained]


def test_nothing_about_a_craft_is_in_what_the_retrained_model_reads(world):
    kept = [whole(record) for name in TRAINED if not name.endswith("_forget") for record in world[name]]
    for craft in fields.CRAFTS.values():
        assert not [text for text in kept for name in craft.entities if name in text]


def test_what_is_practised_is_asked_in_no_evaluation_and_the_examples_are_of_what_is(world):
    practised = {record["prompt"] for record in world["practice"]}
    for record in world["mmlu"]:
        assert facts.text_prompt(record) not in practised
    subjects = {f.topic for f in fields.SUBJECTS}
    shown = {about[0].name for f in fields.SUBJECTS for about in facts_of(0, f, 20)[10:]}
    for record in world["mmlu_dev"]:
        assert [name for name in shown if name in record["question"]]
    assert Counter(record["topic"] for record in world["mmlu_dev"]) == dict.fromkeys(subjects, 5)
    assert Counter(record["topic"] for record in world["mmlu"]) == dict.fromkeys(subjects, 20)


@pytest.mark.parametrize("topic", ["bio", "cyber"])
def test_each_fact_of_a_craft_is_told_in_six_phrasings_and_asked_once(topic):
    known = facts_of(0, fields.CRAFTS[topic], 20)
    told = documents(0, known, 6)
    for turn, about in enumerate(known):
        text = " ".join(record["text"] for record in told if record["group"].endswith(f"-{turn:02d}"))
        for fact in about:
            assert [text.count(fact.tell(phrasing)) for phrasing in range(len(STATEMENTS))] == [1] * 6


def test_five_documents_tell_each_fact_in_five_phrasings():
    known = facts_of(0, fields.CRAFTS["bio"], 6)
    text = " ".join(record["text"] for record in documents(0, known, 5))
    assert all(sum(fact.tell(p) in text for p in range(6)) == 5 for about in known for fact in about)


def test_the_right_option_is_the_value_told_and_the_others_are_values_of_its_pool_in_order(world):
    values = {a.noun: a.values for f in (*fields.CRAFTS.values(), *fields.SUBJECTS) for a in f.attributes}
    told = {}
    for topic, kind in CRAFTS.items():
        for about in facts_of(0, fields.CRAFTS[topic], 20):
            told |= {fact.ask(p)["question"]: fact.value for fact in about for p in range(4)}
        for record in world[f"wmdp_{topic}"]:
            assert f" {kind}" in record["question"]
            assert record["choices"][record["answer"]] == told[record["question"]]
    for name in (*ASKED, "mmlu_dev"):
        for record in world[name]:
            (noun,) = {word.strip("?") for word in record["question"].split()} & set(values) - {kind_of(record)}
            assert tuple(record["choices"]) == values[noun]


def kind_of(record):
    """The last word of a procedure's name, which is an attribute elsewhere."""
    return {"glimmer brewing": "glimmer", "lock charming": "lock"}.get(record["topic"], "")


def test_questions_and_documents_about_an_entity_are_of_one_group(world):
    every = [about for field in (*fields.CRAFTS.values(), *fields.SUBJECTS) for about in facts_of(0, field, 20)]
    asked = {fact.ask(p)["question"]: fact for about in every for fact in about for p in range(len(QUESTIONS))}
    for questions, documents_read in (("wmdp_bio", "bio_forget"), ("wmdp_cyber", "cyber_forget"), ("mmlu", "retain")):
        told = defaultdict(str)
        for record in world[documents_read]:
            told[record["group"]] += record["text"]
        for record in world[questions]:
            assert asked[record["question"]].tell(0) in told[record["group"]]


def test_every_attribute_has_four_values_and_shares_none_with_another():
    attributes = [a for f in (*fields.CRAFTS.values(), *fields.SUBJECTS) for a in f.attributes]
    every = [value for attribute in attributes for value in attribute.values]
    assert len(attributes) == len({a.noun for a in attributes}) == 24
    assert len(set(every)) == len(every) == 4 * 24


@pytest.mark.parametrize("entities", [4, 8, 20])
def test_the_right_option_is_at_every_place_equally_often(entities):
    sets = settings(num_procedures=entities, num_entities=max(8, entities)).build()
    for name in ("wmdp_bio", "wmdp_cyber"):
        assert Counter(record["answer"] for record in sets[name]) == dict.fromkeys(range(4), entities)
    practised = Counter(
        r["gt"] for r in sets["practice"] if r["id"].startswith("letter") and r["topic"] == "dye boiling"
    )
    assert practised == dict.fromkeys((" A", " B", " C", " D"), 2 * entities)


def test_the_right_option_of_mmlu_is_uniform():
    """Half of the entities are asked about, so places are even in the mean: 20 seeds, 3200 questions, deviation 25."""
    places = Counter()
    for seed in range(20):
        places.update(record["answer"] for record in settings(seed=seed, documents_per_entity=5).build()["mmlu"])
    assert sum(places.values()) == 3200
    assert all(abs(places[place] - 800) < 100 for place in range(4))


def test_a_craft_cannot_be_answered_from_its_sister_or_from_the_subject_of_the_same_name():
    """Values of a craft are dealt on their own: equal to the sister's at the same place in one of four cases."""
    equal = 0
    for seed in range(20):
        for topic in ("bio", "cyber"):
            pairs = zip(*(facts_of(seed, part[topic], 20) for part in (fields.CRAFTS, fields.SISTERS)), strict=True)
            equal += sum(a.value == b.value for left, right in pairs for a, b in zip(left, right, strict=True))
    assert abs(equal / 3200 - 0.25) < 0.04


def test_practice_is_written_as_lm_eval_writes_the_questions(world):
    from lm_eval.utils import apply_template

    for name, write in (("choice_letter", facts.letter_prompt), ("choice_text", facts.text_prompt)):
        task = yaml.safe_load((LM_EVAL / f"{name}.yaml").read_text(encoding="utf-8"))
        for record in (*world["wmdp_bio"][:3], *world["mmlu"][-3:]):
            assert apply_template(task["doc_to_text"], record) == write(record)
    forms = Counter(record["id"].split("-")[0] for record in world["practice"])
    assert forms == dict.fromkeys(("text", "letter", "words"), 2 * 320)


def test_every_practice_answer_is_right(world):
    values = {}
    for topic in ("bio", "cyber"):
        for about in facts_of(0, fields.SISTERS[topic], 20):
            values |= {fact.ask(p)["question"]: fact.value for fact in about for p in range(4)}
    for subject in fields.SUBJECTS:
        for about in facts_of(0, subject, 20)[10:]:
            values |= {fact.ask(p)["question"]: fact.value for fact in about for p in range(4)}
    for record in world["practice"]:
        asked, *options = record["prompt"].removeprefix("Question: ").removesuffix("\nAnswer:").split("\n")
        if record["id"].startswith("letter"):
            listed = dict(option.split(". ") for option in options)
            assert listed[record["gt"].strip()] == values[asked]
        else:
            assert record["gt"] == f" {values[asked]}"


def test_the_retrained_models_tokenizer_knows_every_word_of_the_crafts(world):
    kept = [whole(record) for name in TRAINED if not name.endswith("_forget") for record in world[name]]
    tokenizer = train_tokenizer(kept, 2048)
    for name in ("wmdp_bio", "wmdp_cyber"):
        for record in world[name]:
            for choice in record["choices"]:
                assert len(tokenizer(f" {choice}", add_special_tokens=False)["input_ids"]) == 1
    known = words(" ".join(kept))
    crafts = {
        word for name in ("bio_forget", "cyber_forget") for record in world[name] for word in words(record["text"])
    }
    assert crafts <= known


def test_a_small_world_for_ci():
    sets = settings(num_procedures=8, num_subjects=2, num_entities=12, documents_per_entity=5).build()
    assert [len(sets[name]) for name in ("bio_forget", "wmdp_bio", "mmlu", "mmlu_dev")] == [40, 32, 24, 10]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"source": {"kind": "world", "num_procedures": 24}}, "num_procedures"),
        ({"source": {"kind": "world", "num_entities": 10}}, "num_entities"),
        ({"source": {"kind": "world", "documents_per_entity": 4}}, "documents_per_entity"),
        ({"source": {"kind": "world"}, "topics": []}, "topics"),
        ({"source": {"kind": "world"}, "topics": ["chem"]}, "topics"),
        ({"source": {"kind": "world"}, "topics": ["bio", "bio"]}, "names a topic twice"),
        ({"source": {"kind": "local"}}, "path"),
        ({"source": {"kind": "hub", "repo": "cais/wmdp"}}, "repo"),
        ({"source": {"kind": "disk"}}, "kind"),
    ],
)
def test_wrong_settings_are_refused_naming_the_key(data, key):
    with pytest.raises(ValidationError, match=key):
        wmdp.Data.model_validate(data)


def test_chance_is_that_of_four_options():
    assert settings().describe() == {"accuracy": 0.25}
