from __future__ import annotations

import pytest
from transformers import GPT2LMHeadModel

from tests.unlearn.support import tiny_model


@pytest.fixture(scope="module")
def model() -> GPT2LMHeadModel:
    return tiny_model(0)


@pytest.fixture(scope="module")
def original() -> GPT2LMHeadModel:
    return tiny_model(1)
