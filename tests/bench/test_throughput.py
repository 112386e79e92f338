"""The GPU timing script works where there is no GPU, and its utilisation is the closed form."""

from __future__ import annotations

import re
import sys

import pytest
import torch

from blur.bench import throughput


def test_utilisation_counts_six_operations_a_parameter_and_token():
    load = throughput.Load("1B", batch=8, tokens=512, device="cuda")
    tokens = 2 * 8 * 512
    assert throughput.utilisation(0.5, 10**9, load, 1000.0) == pytest.approx(6e9 * tokens / 0.5 / 1e15)


def test_every_method_is_timed_in_every_round():
    load = throughput.Load("tiny", batch=2, tokens=16, device="cpu")
    seconds = throughput.measure(load, rounds=3, warmup=1)
    assert {method: len(values) for method, values in seconds.items()} == dict.fromkeys(throughput.METHODS, 3)
    text = throughput.table(load, seconds, 1.0)
    assert all(re.search(rf"^{method} +[\d.]+ +\d+ +[\d.]+%", text, re.M) for method in throughput.METHODS)


def test_two_gradients_are_combined_once_for_blur_only():
    load = throughput.Load("tiny", batch=2, tokens=16, device="cpu")
    assert throughput.updater("blur_npo", load).settings.separate
    assert not throughput.updater("graddiff", load).settings.separate


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["throughput"])
    throughput.main()
    assert "not measured" in capsys.readouterr().out
