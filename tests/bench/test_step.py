"""The benchmark runs, and its memory figure is what the design promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.bench import step as bench
from blur.config.load import read_yaml


@pytest.fixture(autouse=True)
def small(monkeypatch):
    sizes = {"hidden_size": 48, "num_hidden_layers": 1, "intermediate_size": 48, "vocab_size": 2000}
    monkeypatch.setitem(bench.SIZES, "tiny", sizes)


def test_blur_needs_no_more_memory_than_the_sum_and_holds_one_model():
    """Bar 4: the second set of gradients fits where the backward pass had its logits."""
    sums, blur, live = (bench.peak_memory(kind, "tiny", "cpu", 2) for kind in ("weighted", "blur", "live_reference"))
    assert blur["bytes"] <= sums["bytes"] < live["bytes"]
    assert (sums["models"], blur["models"], live["models"]) == (1, 1, 2)


def test_the_demo_s_shape_is_that_of_its_model():
    model = read_yaml(Path(__file__).parents[2] / "config/models/llama-1m.yaml")["model"]
    architecture = model["architecture"] | {"vocab_size": model["tokenizer"]["vocab_size"]}
    assert bench.SIZES["demo"].items() <= architecture.items()
    assert architecture["tie_word_embeddings"]


def test_a_size_is_told_with_its_ratios(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["bench", "--size", "tiny", "--rounds", "2"])
    bench.main()
    told = capsys.readouterr().out
    assert "tiny, 0.11M parameters, 2 rounds" in told
    assert "time_over_weighted_cpu " in told


def test_times_come_in_pairs():
    times = bench.measure_times("tiny", "cpu", rounds=2, warmup=1)
    assert all(len(times[kind][clock]) == 2 for kind in times for clock in ("wall", "cpu"))


def test_ratio_of_medians_and_its_interval():
    figures = bench.ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert figures["ratio"] == figures["paired"] == figures["low"] == figures["high"] == 2.0


def test_turns_reverse_every_round_and_the_first_rounds_are_not_timed():
    made = []
    steps = {name: lambda number, name=name: made.append((number, name)) for name in "abc"}
    times = bench.take_turns(steps, rounds=2, warmup=1)
    assert "".join(name for _, name in made) == "cbaabccba"
    assert [number for number, _ in made] == [0] * 3 + [1] * 3 + [2] * 3
    assert {name: len(times[name][clock]) for name in "abc" for clock in ("wall", "cpu")} == dict.fromkeys("abc", 2)


def test_steps_can_be_measured_in_another_way():
    taken = bench.take_turns(
        {"a": lambda number: 10 * number}, 2, 1, measure=lambda step, number: {"cpu": step(number)}
    )
    assert taken == {"a": {"cpu": [10, 20]}}
