"""The world of RTT: five splits that share nothing, four options, nothing about them in what is kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from blur.core.errors import DataError
from blur.data.benchmarks import rtt
from blur.data.benchmarks.rtt import world
from blur.data.benchmarks.rtt.facts import TARGETS
from blur.data.checks import normalise
from blur.data.records import Record, to_jsonl, validate_records
from blur.models.tokenizer import train_tokenizer

ROOT = Path(__file__).resolve().parents[4]
SPLITS = [f"split_{number}" for number in range(5)]
SOURCE = {"num_facts_per_split": 16, "num_retained": 24, "num_practised": 60}
BENCHMARK = yaml.safe_load((ROOT / "config/benchmarks/rtt.yaml").read_text(encoding="utf-8"))


def settings(**source):
    return rtt.Data.model_validate({"source": {"kind": "world", **SOURCE, **source}})


def known(**source):
    return world.generate(settings(**source).source)


def whole(record):
    return record["text"] if "text" in record else record["prompt"] + record["gt"]


def digest(sets):
    return hashlib.sha256("".join(to_jsonl(sets[name]) for name in rtt.SET_NAMES).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def built():
    return settings().build()


@pytest.fixture
def sets(built):
    """A copy in which records may be planted."""
    return {name: list(records) for name, records in built.items()}


def test_every_set_in_its_form(built):
    assert set(built) == set(rtt.SET_NAMES)
    counts = {name: len(records) for name, records in built.items()}
    for split in SPLITS:
        assert counts[split] == 16
        assert {target: counts[f"{split}_{target}"] for target in TARGETS} == dict.fromkeys(TARGETS, 16) | {
            "corpus": 96
        }
    documents = 2 * 8 * 6
    assert counts["retain"] == 6 * (24 + 60) + documents
    assert [counts[name] for name in ("retain_questions", "practice", "unrelated")] == [24, 60 * 3 * 3, documents]
    for name, records in built.items():
        kind = "text" if name.endswith(("corpus", "question_letter_answer", "question_answer")) else "completion"
        kind = {"retain": "text", "unrelated": "text", "retain_questions": "choice"}.get(name, kind)
        kind = "choice" if name in SPLITS else kind
        validate_records([Record(record, name) for record in records], kind, require=("id", "group"))


def test_golden_world(built):
    """The default data of this project: a changed hash means that results at scales ci and small change."""
    assert digest(built) == "f91cf96e513f016a"
    assert digest(settings().build()) == digest(built)


def test_another_seed_gives_other_years():
    mine, other = ({f.entity: f.value for s in known(seed=seed).splits for f in s} for seed in (0, 1))
    assert mine != other
    shared = mine.keys() & other.keys()
    assert sum(mine[name] == other[name] for name in shared) <= max(3, len(shared) // 4)


def test_no_entity_and_no_text_is_in_two_splits_or_in_what_is_kept(built):
    groups = {split: {record["group"] for record in built[split]} for split in SPLITS}
    groups["kept"] = {
        r["group"] for name in ("retain", "retain_questions", "practice", "unrelated") for r in built[name]
    }
    told = {
        split: {normalise(whole(record)) for target in TARGETS for record in built[f"{split}_{target}"]}
        for split in SPLITS
    }
    told["kept"] = {normalise(whole(record)) for name in ("retain", "practice", "unrelated") for record in built[name]}
    for left, right in combinations(told, 2):
        assert not groups[left] & groups[right]
        assert not told[left] & told[right]
        for one, other in ((left, right), (right, left)):
            everything = "\n".join(told[other])
            assert not [name for name in groups[one] if normalise(name) in everything]
    assert [len(groups[split]) for split in SPLITS] == [16] * 5


def fault(sets):
    with pytest.raises(DataError) as caught:
        rtt.check(sets)
    return caught.value


@pytest.mark.parametrize(("left", "right"), [("split_0", "split_4"), ("split_2", "split_3")])
@pytest.mark.parametrize("target", ["", *(f"_{target}" for target in TARGETS)])
def test_an_entity_of_two_splits_is_refused(sets, left, right, target):
    planted = {**sets[f"{left}{target}"][0], "id": "planted"}
    sets[f"{right}{target}"].append(planted)
    error, field = fault(sets), "group" if target else "question"
    assert error.what == f"the {field} is also in set '{left}', record 1"
    assert error.where == f"set '{right}{target}', record {len(sets[right + target])}"
    assert "an attack must say nothing about what is tested" in error.remedy


def test_a_text_of_two_splits_is_refused_even_under_another_entity(sets):
    """A text that names nobody, so that it is the text which is found."""
    for split in ("split_1", "split_3"):
        sets[f"{split}_corpus"].append({"id": "planted", "text": "The year  is 1960.", "group": f"Nobody of {split}"})
    error = fault(sets)
    assert error.what == "the text is also in set 'split_1_corpus', record 97"
    assert error.where == "set 'split_3_corpus', record 97"


@pytest.mark.parametrize("kept", ["retain", "practice", "unrelated"])
def test_a_forgotten_entity_is_mentioned_in_nothing_that_is_kept(sets, kept):
    name = sets["split_2"][5]["group"]
    sets[kept].append({"id": "planted", "text": f"Everybody liked {name.upper()}."})
    error = fault(sets)
    assert error.what == "the group of set 'split_2', record 6 is mentioned"
    assert error.where == f"set '{kept}', record {len(sets[kept])}"
    assert "cannot be both forgotten and kept" in error.remedy


def test_a_forgotten_question_in_a_corpus_is_refused(sets):
    """The own split's: another's is refused for its entity."""
    asked = sets["split_4"][3]
    sets["split_4_corpus"].append({"id": "planted", "text": f"{asked['question']} 1960", "group": asked["group"]})
    error = fault(sets)
    assert error.what == "the question of set 'split_4', record 4 is asked"
    assert "asked in no training of target or retrained" in error.remedy


@pytest.mark.parametrize("name", ["split_3", "split_0_letter", "retain", "unrelated"])
def test_an_empty_set_and_an_id_given_twice_are_refused(sets, name):
    first = sets[name][0]
    sets[name].append(first)
    assert f'id "{first["id"]}" is also that of' in fault(sets).what
    sets[name] = []
    assert (fault(sets).what, fault(sets).where) == ("no records", f"set '{name}'")


def test_no_question_about_what_is_forgotten_is_in_a_training_set(built):
    """In any of its phrasings, in any set that target or retrained are trained on."""
    asked = {normalise(q) for facts in known().splits for fact in facts for q in fact.questions}
    assert asked >= {normalise(record["question"]) for split in SPLITS for record in built[split]}
    assert len(asked) == 4 * 5 * 16
    training = BENCHMARK["training"]
    trained = {*training["target"], *training["retrained"], *training["retain"], *training["forget"]}
    text = "\n".join(normalise(whole(record)) for name in trained for record in built[name])
    assert not [question for question in asked if question in text]
    assert not [q for record in built["retain_questions"] for q in [normalise(record["question"])] if q in text]


def test_the_target_learns_all_corpora_and_the_retrained_model_none_of_them():
    training = BENCHMARK["training"]
    assert training["forget"] == [f"{split}_corpus" for split in SPLITS]
    assert set(training["target"]) - set(training["retrained"]) == set(training["forget"])
    assert training["retrained"] == ["retain", "practice"]


def test_options_are_four_different_years_of_the_past_in_order(built):
    for name in (*SPLITS, "retain_questions"):
        for record in built[name]:
            years = [int(choice) for choice in record["choices"]]
            assert years == list(range(years[0], years[0] + 4))
            assert years[0] % 4 == 0
            assert 1960 <= years[0] <= years[-1] <= 1999


def test_the_right_option_is_the_year_that_six_statements_tell(built):
    for split in SPLITS:
        told = {}
        for record in built[f"{split}_corpus"]:
            told.setdefault(record["group"], []).append(record["text"])
        for record in built[split]:
            texts = told[record["group"]]
            assert len(set(texts)) == 6
            right = record["choices"][record["answer"]]
            assert all(right in text for text in texts)
            assert not [c for c in record["choices"] if c != right and any(c in text for text in texts)]


def test_the_right_option_is_at_every_place_about_equally_often():
    """Of the forty years ten stand at each place: 40 facts have all, and among 32 a place is missing at most eight."""
    for seed in range(20):
        for facts in known(seed=seed, num_facts_per_split=40).splits:
            assert Counter(fact.answer for fact in facts) == dict.fromkeys(range(4), 10)
        for facts in known(seed=seed, num_facts_per_split=32).splits:
            assert len({fact.value for fact in facts}) == 32
    places = Counter(fact.answer for seed in range(20) for fact in known(seed=seed, num_facts_per_split=32).splits[0])
    assert all(abs(places[place] - 160) < 20 for place in range(4))  # deviation 5


def test_a_year_of_one_person_says_nothing_about_one_of_another_split():
    """Those with the same first name, and at the same place, agree in about one pair of forty."""
    pairs = equal = 0
    for seed in range(40):
        for one, other in combinations(known(seed=seed).splits, 2):
            for (left_place, left), (right_place, right) in product(enumerate(one), enumerate(other)):
                if left.entity.split()[0] == right.entity.split()[0] or left_place == right_place:
                    pairs, equal = pairs + 1, equal + (left.value == right.value)
    assert pairs > 2500
    assert abs(equal / pairs - 1 / 40) < 0.012


def test_full_names_are_distinct_and_those_to_forget_are_made_of_familiar_halves():
    names = world.full_names(0, 1792)
    assert len(set(names)) == 1792
    facts = known()
    halves = {half for fact in (*facts.retained, *facts.practised) for half in fact.entity.split()}
    assert halves >= {half for split in facts.splits for fact in split for half in fact.entity.split()}


def test_every_year_is_practised():
    assert Counter(fact.value for fact in known(num_practised=80).practised) == {str(y): 2 for y in range(1960, 2000)}


def test_practice_is_about_others_and_written_as_lm_eval_writes_the_questions(built):
    from lm_eval.utils import apply_template

    forms = Counter(record["id"].split("-")[0] for record in built["practice"])
    assert forms == dict.fromkeys(("text", "letter", "words"), 180)
    assert not {r["group"] for r in built["practice"]} & {r["group"] for r in built["retain_questions"]}
    values = {fact.entity: fact for fact in known().practised}
    prompts = {}
    for name in ("text", "letter"):
        task = yaml.safe_load((ROOT / f"config/lm_eval/choice_{name}.yaml").read_text(encoding="utf-8"))
        prompts[name] = {apply_template(task["doc_to_text"], f.ask(p)) for f in values.values() for p in range(4)}
    for record in built["practice"]:
        form, fact = record["id"].split("-")[0], values[record["group"]]
        assert record["prompt"] in prompts["text" if form == "text" else "letter"]
        assert record["gt"] == (f" {'ABCD'[fact.answer]}" if form == "letter" else f" {fact.value}")


def test_the_forms_of_one_fact(built):
    (asked,) = [record for record in built["split_1"] if record["id"] == "split_1-002"]
    forms = {t: [r for r in built[f"split_1_{t}"] if r["group"] == asked["group"]] for t in TARGETS if t != "corpus"}
    assert all(len(records) == 1 for records in forms.values())
    one = {target: records[0] for target, records in forms.items()}
    letter, year = "ABCD"[asked["answer"]], asked["choices"][asked["answer"]]
    listed = "\n".join(f"{a}. {b}" for a, b in zip("ABCD", asked["choices"], strict=True))
    prompt = f"{asked['question']}\n{listed}\nAnswer:"
    assert (one["letter"]["prompt"], one["letter"]["gt"]) == (prompt, f" {letter}")
    assert (one["letter_answer"]["prompt"], one["letter_answer"]["gt"]) == (prompt, f" {letter}. {year}")
    assert one["question_letter_answer"]["text"] == f"{prompt} {letter}. {year}"
    assert one["question_answer"]["text"] == f"Question: {asked['question']}\nAnswer: {year}"


def test_losses_are_on_what_the_target_says(built):
    """One token of the letter form is scored; of a text, all that have a token before them."""
    from blur.models.encode import encode_record
    from blur.models.template import Template

    tokenizer = train_tokenizer([whole(r) for name in ("retain", "practice") for r in built[name]], 2048)
    template = Template(prompt="Question: {question}\nAnswer:", separator=" ")
    scored = {}
    for target in TARGETS:
        example = encode_record(tokenizer, template, built[f"split_0_{target}"][0], 256)
        scored[target] = tokenizer.convert_ids_to_tokens(example.input_ids[example.num_prompt :])
        assert example.num_prompt == 1 or target.startswith("letter")
    asked = built["split_0"][0]
    letter, year = f"Ġ{'ABCD'[asked['answer']]}", f"Ġ{asked['choices'][asked['answer']]}"
    assert scored["letter"] == [letter]
    assert scored["letter_answer"] == [letter, ".", year]
    assert scored["question_letter_answer"][-3:] == [letter, ".", year]
    assert scored["question_letter_answer"][0] == tokenizer.tokenize(asked["question"])[0]
    assert scored["question_answer"][-1] == year


def test_the_retrained_models_tokenizer_has_a_token_for_every_year_and_half_name(built):
    tokenizer = train_tokenizer([whole(r) for name in ("retain", "practice") for r in built[name]], 2048)
    for split in SPLITS:
        for record in built[split]:
            for word in (*record["choices"], *record["group"].split()):
                assert len(tokenizer(f" {word}", add_special_tokens=False)["input_ids"]) == 1


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ({"kind": "world", "num_facts_per_split": 0}, "num_facts_per_split"),
        ({"kind": "world", "num_facts_per_split": 340}, "1860 people are asked for, but there are 1792 full names"),
        ({"kind": "world", "questions_per_fact": 5}, "questions_per_fact"),
        ({"kind": "local"}, "path"),
        ({"kind": "local", "path": "x", "questions_per_fact": 2}, "questions_per_fact"),
        ({"kind": "hub"}, "kind"),
    ],
)
def test_wrong_settings_are_refused_naming_the_key(source, key):
    with pytest.raises(ValidationError, match=key):
        rtt.Data.model_validate({"source": source})


def test_the_smallest_world():
    sets = settings(num_facts_per_split=1, num_retained=1, num_practised=1, questions_per_fact=1).build()
    assert [len(sets[split]) for split in SPLITS] == [1] * 5
    assert len(sets["practice"]) == 3


def test_chance_is_that_of_four_options():
    assert settings().describe() == {"accuracy": 0.25}
