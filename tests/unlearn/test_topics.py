"""Streams with topics: steps take turns, and all that holds for a stream holds for each of its topics."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from blur.core.errors import ArtifactError
from blur.unlearn.batches import Plan, permutation, topics_of
from blur.unlearn.loop import train
from tests.unlearn.support import examples, settings, streams, tiny_model, weights_hash

SIZES = {"bio": 10, "cyber": 5, "chem": 1}


def of_topics(sizes, prefix="f", seed=1):
    """Texts of the topics of ``sizes``, shuffled, the first of each in the order of ``sizes``."""
    texts = examples(sum(sizes.values()), prefix, seed)
    rest = [topic for topic, size in sizes.items() for _ in range(size - 1)]
    random.Random(0).shuffle(rest)
    return [replace(text, topic=topic) for text, topic in zip(texts, [*sizes, *rest], strict=True)]


def plan_of(batch_size=4, seed=0, total=60, **parts):
    return Plan(
        {name: len(texts) for name, texts in parts.items()},
        next(iter(parts)),
        batch_size,
        seed,
        total,
        {name: topics_of(texts) for name, texts in parts.items()},
    )


def as_before(plan, stream, step):
    """The batches of a plan without topics, as the loop made them when there were none."""
    size = plan.sizes[plan.primary]
    turn, within = divmod(step, -(-size // plan.batch_size))
    start, stop = within * plan.batch_size, min((within + 1) * plan.batch_size, size)
    own = plan.sizes[stream]
    draws = range(turn * size + start, turn * size + stop)
    return [permutation(own, plan.seed, stream, draw // own)[draw % own] for draw in draws]


@pytest.mark.parametrize("topic", ["", "bio"])
@pytest.mark.parametrize(("forget", "retain", "batch"), [(10, 23, 4), (7, 3, 3), (1, 5, 4), (8, 8, 4), (5, 9, 1)])
def test_streams_of_one_topic_are_batched_as_ever(topic, forget, retain, batch):
    parts = {"forget": examples(forget, "f"), "retain": examples(retain, "r")}
    parts = {name: [replace(text, topic=topic) for text in texts] for name, texts in parts.items()}
    plan = plan_of(batch, seed=3, **parts)
    assert plan.topics == {"forget": {}, "retain": {}}
    for step in range(plan.total_steps):
        for stream in parts:
            assert plan.indices(stream, step) == as_before(plan, stream, step)
        assert plan.epoch(step) == step // -(-forget // batch) + 1


def test_topics_come_in_order_of_first_appearance():
    texts = of_topics({"zeta": 3, "alpha": 4})
    assert list(topics_of(texts)) == ["zeta", "alpha"]
    assert sorted(index for members in topics_of(texts).values() for index in members) == list(range(7))
    assert topics_of(examples(3, "f")) == topics_of([]) == {}


def test_step_t_takes_topic_t_mod_n_in_that_topics_own_passes():
    texts = of_topics(SIZES)
    plan = plan_of(forget=texts)
    batches = [plan.indices("forget", step) for step in range(60)]
    for step, batch in enumerate(batches):
        assert {texts[index].topic for index in batch} == {list(SIZES)[step % 3]}
    for number, (topic, size) in enumerate(SIZES.items()):
        own = batches[number::3]
        per_pass = -(-size // 4)
        for start in range(0, len(own) - per_pass + 1, per_pass):
            seen = [index for batch in own[start : start + per_pass] for index in batch]
            assert sorted(seen) == topics_of(texts)[topic], "each pass has all of the topic, once"
        assert [len(batch) for batch in own[:per_pass]] == [4] * (per_pass - 1) + [size - 4 * (per_pass - 1)]
    assert batches[0:9:3] != batches[9:18:3], "another order in another pass"


def test_an_epoch_is_a_pass_over_the_largest_topic():
    plan = plan_of(forget=of_topics(SIZES))
    assert plan.per_epoch == 3 * 3
    assert [plan.epoch(step) for step in (0, 8, 9, 17, 18)] == [1, 1, 2, 2, 3]
    assert [step for step in range(30) if plan.ends_epoch(step)] == [8, 17, 26]
    small = [plan.indices("forget", step) for step in range(2, 27, 3)]
    assert len(small) == 9
    assert all(batch == small[0] and len(batch) == 1 for batch in small), "one text alone comes every time"


def test_a_stream_without_topics_beside_one_with():
    forget, retain = of_topics({"bio": 10, "cyber": 5}), examples(7, "r")
    plan = plan_of(total=40, forget=forget, retain=retain)
    both = [(plan.indices("forget", step), plan.indices("retain", step)) for step in range(40)]
    assert all(len(f) == len(r) for f, r in both), "as many as of the forget stream"
    draws = [index for _, batch in both for index in batch]
    for start in range(0, len(draws) - 6, 7):
        assert sorted(draws[start : start + 7]) == list(range(7)), "in passes of its own"


def test_a_stream_with_topics_beside_one_without():
    forget, retain = examples(10, "f"), of_topics({"bio": 6, "cyber": 3}, "r")
    plan = plan_of(total=40, forget=forget, retain=retain)
    assert plan.per_epoch == 3
    drawn = {"bio": [], "cyber": []}
    for step in range(40):
        assert plan.indices("forget", step) == as_before(plan, "forget", step)
        batch = plan.indices("retain", step)
        assert len(batch) == len(plan.indices("forget", step))
        drawn[["bio", "cyber"][step % 2]] += batch
    for topic, members in topics_of(retain).items():
        counts = Counter(drawn[topic])
        assert set(counts) == set(members)
        assert max(counts.values()) - min(counts.values()) <= 1, "nothing comes again before all came"


def test_the_order_depends_on_seed_stream_and_topic():
    texts = of_topics({"bio": 8, "cyber": 8})
    plans = [plan_of(8, seed, forget=texts, retain=texts) for seed in (0, 1)]
    places = {topic: {index: place for place, index in enumerate(m)} for topic, m in topics_of(texts).items()}

    def order(plan, stream, step, topic):
        return [places[topic][index] for index in plan.indices(stream, step)]

    orders = [order(plans[0], "forget", 0, "bio"), order(plans[0], "forget", 1, "cyber")]
    orders += [order(plans[0], "retain", 0, "bio"), order(plans[1], "forget", 0, "bio")]
    assert all(sorted(each) == list(range(8)) for each in orders)
    assert all(a != b for i, a in enumerate(orders) for b in orders[i + 1 :])


def test_a_topic_can_be_all_texts_of_none():
    """Texts without a topic beside texts with one take their turn like any other."""
    texts = of_topics({"": 3, "bio": 2})
    assert list(topics_of(texts)) == ["", "bio"]


# Runs.

RMU = {"name": "rmu", "layer": 1, "coefficient": 3.0}
MSE = {"name": "activation_mse", "layer": 1}
TOPICAL = {"forget": of_topics({"bio": 5, "cyber": 2}), "retain": streams()["retain"]}


def run(directory=None, texts=None, forget=RMU, **options):
    import torch

    model, original = (tiny_model(0, torch.float32, dropout) for dropout in (0.1, 0.0))
    config = settings(forget, MSE, "bilevel", epochs=2, optimizer={"name": "adamw", "lr": 1e-3})
    return train(model, texts or TOPICAL, config, reference_model=original, checkpoint_dir=directory, **options)


class CutError(Exception):
    pass


def test_a_run_with_topics_alternates_and_counts_its_epochs():
    ended = []
    records = run(on_epoch_end=lambda epoch, _: ended.append(epoch)).records
    assert [record["epoch"] for record in records] == [1] * 4 + [2] * 4
    assert ended == [1, 2]


def test_resume_with_topics_reaches_the_same_weights(tmp_path):
    def cut(record, total):
        if record["step"] == 6:
            raise CutError

    with pytest.raises(CutError):
        run(tmp_path, on_step=cut)
    again = run(tmp_path)
    assert again.resumed_from == 4
    assert weights_hash(again.model) == weights_hash(run().model)


def test_a_checkpoint_of_other_topics_is_refused(tmp_path):
    run(tmp_path)
    other = {**TOPICAL, "forget": [replace(text, topic="bio") for text in TOPICAL["forget"]]}
    with pytest.raises(ArtifactError, match="other settings, data"):
        run(tmp_path, other)


def test_the_topic_reaches_the_loss():
    """One topic's texts under another's name are drawn elsewhere."""
    renamed = [replace(text, topic={"bio": "one", "cyber": "two"}[text.topic]) for text in TOPICAL["forget"]]
    assert [text.id for text in renamed] == [text.id for text in TOPICAL["forget"]]
    hashes = [weights_hash(run(texts={**TOPICAL, "forget": texts}).model) for texts in (TOPICAL["forget"], renamed)]
    assert all(a != b for a, b in pairwise(hashes))
