"""Faults of pydantic are told in the words of YAML."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from blur.core.settings import Count, Flag, Positive, Strict
from blur.core.words import said


class Settings(Strict):
    whole: Count = 1
    number: Positive = 1
    flag: Flag = True
    text: str = Field("a", min_length=1, pattern="^[a-z]*$")
    values: tuple[int, ...] = Field((1,), min_length=1, max_length=2)
    inner: dict[str, int] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("whole", "many", "should be a whole number"),
        ("whole", 2.5, "should be a whole number"),
        ("whole", [1], "should be a whole number"),
        ("whole", 0, "should be greater than or equal to 1"),
        ("whole", True, "should be a number, not true or false"),
        ("number", "fast", "should be a number"),
        ("number", None, "should be a number"),
        ("number", float("inf"), "should be a finite number"),
        ("flag", 1, "should be true or false"),
        ("text", 3, "should be a text"),
        ("text", "", "should not be empty"),
        ("text", "A", "should be of the form ^[a-z]*$"),
        ("values", [], "should have at least 1 item(s), not 0"),
        ("values", [1, 2, 3], "should have at most 2 item(s), not 3"),
        ("values", 3, "should be a list"),
        ("inner", [], "should be a mapping"),
    ],
)
def test_a_fault_is_told_in_plain_words(key: str, value: Any, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({key: value})
    assert said(caught.value.errors()[0]) == expected
