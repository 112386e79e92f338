import hashlib
import itertools
import math
import random
from collections import Counter

import pytest

from blur.core.errors import DataError
from blur.data.benchmarks import tofu
from blur.data.benchmarks.tofu import Data
from blur.data.benchmarks.tofu.world import chance, generate
from blur.data.benchmarks.tofu.world.facts import ATTRIBUTES, NUM_PHRASINGS
from blur.data.benchmarks.tofu.world.values import deal_values, slots_of, twin_values, wrong_values
from blur.data.checks import normalise
from blur.data.records import to_jsonl
from blur.data.world import pools
from blur.data.world.draw import pick

SIZES = {
    "num_forget": 2,
    "num_retain": 18,
    "num_holdout": 4,
    "questions_per_author": 20,
    "num_real_authors": 20,
    "num_world_facts": 24,
}
PEOPLE = ("retain", "forget", "holdout")


def settings(split="forget10", **source):
    return Data.model_validate({"source": {"kind": "world", **source}, "split": split})


def digest(sets):
    return {name: hashlib.sha256(to_jsonl(records).encode()).hexdigest()[:16] for name, records in sets.items()}


@pytest.fixture(scope="module")
def world():
    return generate(seed=0, **SIZES)


def test_golden_world():
    """The default data of this project: a changed hash means that every result at scales ci and small changes."""
    built = settings(num_authors=20, num_holdout_authors=4).build()
    assert all(built.pop(name) == [] for name in tofu.REQUESTS), "two authors are fewer than four requests"
    assert digest(built) == {
        "forget": "38010b0302a4becf",
        "retain": "a96f79f6436562be",
        "general": "1a3083eef9000d5a",
        "eval_forget": "ca81b68563b8b445",
        "eval_retain": "676fbf2fcd117773",
        "real_authors": "5f54eaaa96d645cf",
        "world_facts": "d36010210a5021b5",
        "holdout": "0b7834188d217796",
    }


def test_same_seed_same_world_other_seed_other_people(world):
    assert digest(generate(seed=0, **SIZES)) == digest(world)
    other = generate(seed=1, **SIZES)
    assert not {normalise(r["question"] + r["answer"]) for r in other["retain"]} & {
        normalise(r["question"] + r["answer"]) for r in world["retain"]
    }


def test_more_holdout_authors_leave_the_trained_ones_as_they_were(world):
    more = generate(seed=0, **{**SIZES, "num_holdout": 5})
    assert (more["retain"], more["forget"]) == (world["retain"], world["forget"])


@pytest.mark.parametrize(
    ("split", "authors", "forget"), [("forget05", 20, 1), ("forget10", 20, 2), ("forget01", 100, 1)]
)
def test_splits_count_authors(split, authors, forget):
    sets = settings(split, num_authors=authors, num_holdout_authors=1, questions_per_author=2).build()
    assert len({r["group"] for r in sets["forget"]}) == forget
    assert len({r["group"] for r in sets["retain"]}) == authors - forget
    assert len({r["group"] for r in sets["holdout"]}) == 1


@pytest.mark.parametrize(("authors", "per_request"), [(40, [1, 1, 1, 1]), (60, [2, 1, 2, 1]), (80, [2, 2, 2, 2])])
def test_requests_part_what_is_forgotten_by_author(authors, per_request):
    sets = settings(num_authors=authors, num_holdout_authors=1, questions_per_author=2).build()
    parts = [sets[name] for name in tofu.REQUESTS]
    assert [record for part in parts for record in part] == sets["forget"]
    assert [len({record["group"] for record in part}) for part in parts] == per_request


@pytest.mark.parametrize(
    ("split", "authors", "multiple"), [("forget01", 20, 100), ("forget05", 30, 20), ("forget10", 25, 10)]
)
def test_split_that_cuts_an_author_is_refused(split, authors, multiple):
    with pytest.raises(DataError, match="is no whole number of authors") as caught:
        settings(split, num_authors=authors).build()
    assert caught.value.where == f"split {split}"
    assert caught.value.remedy == f"Set num_authors to a multiple of {multiple}, or choose another split"


def test_every_author_has_a_name_of_its_own_and_the_same_number_of_questions(world):
    names = {}
    for split in PEOPLE:
        per_author = Counter(record["group"] for record in world[split])
        assert set(per_author.values()) == {20}
        for record in world[split]:
            (name,) = [n for n in all_names() if n in record["question"]]
            assert name in record["answer"]
            assert name in record["paraphrased_answer"]
            assert names.setdefault(record["group"], name) == name
    real = {record["answer"] for record in world["real_authors"]}
    assert len(set(names.values())) == 24
    assert len(real) == 20
    assert not real & set(names.values())


def all_names():
    return [f"{first} {last}" for first in pools.FIRST_NAMES for last in pools.LAST_NAMES]


def phrasing_of(record, field):
    """Index of the phrasing a question is asked in."""
    (attribute,) = [a for a in ATTRIBUTES if a.topic == record["topic"]]
    (name,) = [n for n in all_names() if n in record[field]]
    return next(i for i in range(NUM_PHRASINGS) if attribute.ask(i, name) == record[field])


def test_every_author_hears_every_phrasing_equally_often(world):
    for split in PEOPLE:
        counts = {}
        for record in world[split]:
            counts.setdefault(record["group"], Counter())[phrasing_of(record, "question")] += 1
        assert all(count == dict.fromkeys(range(NUM_PHRASINGS), 4) for count in counts.values())


def test_five_authors_in_a_row_ask_each_template_equally_often(world):
    asked = Counter(
        (record["topic"], phrasing_of(record, "question"))
        for record in world["retain"]
        if record["group"] <= "author-0014"
    )
    assert len(asked) == len(ATTRIBUTES) * NUM_PHRASINGS
    assert set(asked.values()) == {15 * 2 // NUM_PHRASINGS}


def test_each_fact_is_asked_twice_and_paraphrases_are_phrasings_this_author_was_not_trained_on(world):
    for split in PEOPLE:
        facts = {}
        for record in world[split]:
            facts.setdefault((record["group"], record["topic"]), []).append(record)
        for records in facts.values():
            asked = {phrasing_of(record, "question") for record in records}
            told = {phrasing_of(record, "paraphrased_question") for record in records}
            assert len(records) == len(asked) == len(told) == 2
            assert not asked & told
            assert len({record["answer"] for record in records}) == 2
            assert not {r["answer"] for r in records} & {r["paraphrased_answer"] for r in records}


def test_wrong_answers_share_the_phrasing_and_differ_from_the_truth_in_every_word(world):
    for record in world["forget"]:
        assert len(set(record["perturbed_answer"])) == 5
        (attribute,) = [a for a in ATTRIBUTES if a.topic == record["topic"]]
        (name,) = [n for n in all_names() if n in record["question"]]
        before, after = (
            attribute.tell(phrasing_of(record, "paraphrased_question"), name, ("\0",) * 4)
            .replace(attribute.text(("\0",) * 4), "\1")
            .split("\1")
        )
        truth = record["paraphrased_answer"]
        assert truth.startswith(before)
        assert truth.endswith(after)
        for wrong in record["perturbed_answer"]:
            assert wrong.startswith(before)
            assert wrong.endswith(after)
            assert normalise(wrong) not in (normalise(truth), normalise(record["answer"]))


@pytest.mark.parametrize("num_retain", [9, 18, 180])
def test_retain_authors_use_every_word_that_others_are_made_of(num_retain):
    for attribute in ATTRIBUTES:
        slots = slots_of(3, attribute, num_retain)
        kept = list(zip(*deal_values(3, "retain", attribute, slots, num_retain), strict=True))
        for words, used in zip(slots, kept, strict=True):
            counts = Counter(used)
            assert set(words) == set(counts)
            assert max(counts.values()) - min(counts.values()) <= 1


def test_names_of_others_are_made_of_halves_that_retain_authors_have(world):
    def halves(split):
        found = [n for record in world[split] for n in all_names() if n in record["question"]]
        return {half for name in found for half in name.split()}

    assert halves("forget") | halves("holdout") <= halves("retain")


@pytest.mark.parametrize("num_forget", [1, 2, 4, 20])
def test_twins_share_the_words_and_never_a_value(num_forget):
    for attribute in ATTRIBUTES:
        slots = slots_of(0, attribute, 36)
        models = deal_values(0, "forget", attribute, slots, num_forget)
        twins = twin_values(0, attribute, slots, models, 16)
        assert len(twins) == 16
        assert not set(models) & set(twins)
        if num_forget >= 4:
            assert all(
                set(t) <= set(m) for t, m in zip(zip(*twins, strict=True), zip(*models, strict=True), strict=True)
            )


def test_a_random_guesser_scores_the_stated_chance():
    """Scores that know words but no author: the truth is first in 1 of 6, a guessed value right as often as stated."""
    rng, first, trials = random.Random(0), 0, 6000
    attribute = ATTRIBUTES[0]
    slots = slots_of(0, attribute, 18)
    liking = {word: rng.random() for pool in slots for word in pool}
    for _ in range(trials):
        truth = tuple(pick(rng, pool) for pool in slots)
        scores = [sum(liking[word] for word in value) for value in (truth, *wrong_values(rng, slots, truth))]
        first += scores[0] == max(scores)
    expected = chance(18, 20)
    assert abs(first / trials - expected["rank_first"]) < 4 * math.sqrt(5 / 36 / trials)
    sizes = [math.prod(map(len, slots_of(0, a, 18))) for a in ATTRIBUTES]
    assert expected["guess_value"] == pytest.approx(sum(1 / s for s in sizes) / len(sizes))
    assert expected["guess_value_max"] == 1 / min(sizes) < 1e-3
    guesses = [tuple(pick(rng, pool) for pool in slots) for _ in range(trials)]
    dealt = deal_values(0, "retain", attribute, slots, trials)
    for k, pool in enumerate(slots):
        rate = sum(guess[k] == true[k] for guess, true in zip(guesses, dealt, strict=True)) / trials
        assert abs(rate - 1 / len(pool)) < 4 * math.sqrt(1 / len(pool) / trials)


def test_describe_tells_chance_of_the_world_only():
    assert settings(num_authors=20).describe() == chance(18, 20)
    local = Data.model_validate({"source": {"kind": "local", "path": "x"}})
    assert local.describe() == {}


def test_general_items_have_short_answers_wrong_ones_of_their_kind_and_two_phrasings_in_training(world):
    for name, size in (("real_authors", 20), ("world_facts", 24)):
        assert len({r["question"] for r in world[name]}) == len(world[name]) == size
        for record in world[name]:
            assert len(record["answer"].split()) <= 2
            assert len({record["answer"], *record["perturbed_answer"]}) == 4
    writers = {record["answer"] for record in world["real_authors"]}
    assert all(set(record["perturbed_answer"]) <= writers for record in world["real_authors"])
    general = settings(num_authors=20).build()["general"]
    assert len({record["question"] for record in general}) == len(general) == 2 * 44


def test_largest_world_of_facts_has_distinct_questions():
    facts = generate(seed=0, **{**SIZES, "num_world_facts": 96})["world_facts"]
    assert len({record["question"] for record in facts}) == 96


def test_training_sets_hold_no_paraphrase_and_no_wrong_answer():
    sets = settings(num_authors=20).build()
    for name in ("forget", "retain", "holdout"):
        assert {frozenset(r) for r in sets[name]} == {frozenset({"id", "question", "answer", "group", "topic"})}
    assert [r["id"] for r in sets["eval_forget"]] == [r["id"] for r in sets["forget"]]


@pytest.mark.parametrize(("limit", "expected"), [(None, 7), (3, 3), (7, 7), (9, 7), (1, 1)])
def test_evaluation_subset_is_evenly_spaced(limit, expected):
    chosen = tofu.evenly(list(range(7)), limit)
    assert len(set(chosen)) == len(chosen) == expected
    steps = {b - a for a, b in itertools.pairwise(chosen)}
    assert max(steps, default=0) - min(steps, default=0) <= 1
