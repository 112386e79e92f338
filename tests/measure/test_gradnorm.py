from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from blur.measure.gradnorm import _squared_norm, gradient_norms
from blur.models.encode import encode_record
from tests.measure.conftest import RECORDS, TEMPLATE


@pytest.fixture
def examples(tokenizer):
    return [encode_record(tokenizer, TEMPLATE, record, 100) for record in RECORDS]


def test_equals_autograd_in_float64(any_model, examples):
    found = gradient_norms(any_model, examples)
    model = any_model.double()
    for example, norm in zip(examples, found, strict=True):
        model.zero_grad()
        ids, labels = torch.tensor([example.input_ids]), torch.tensor(example.labels)
        cross_entropy(model(ids).logits[0, :-1], labels[1:], ignore_index=-100).backward()
        expected = math.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters() if p.grad is not None))
        assert norm == pytest.approx(expected, rel=1e-5)


def test_does_not_depend_on_the_texts_around_it(llama, examples):
    assert gradient_norms(llama, examples[::-1])[::-1] == gradient_norms(llama, examples)


def test_small_squares_survive_beside_large_ones():
    """float32 would lose each of the small squares beside a large one; many of them add up."""
    values = torch.full((2**20,), 1e-4)
    values[0] = 1.0e2
    assert float(_squared_norm(values)) == pytest.approx(1e4 + (2**20 - 1) * float(values[1].double() ** 2), rel=1e-9)
