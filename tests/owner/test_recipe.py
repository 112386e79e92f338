"""Defaults: the rate by the size of a model, and the first way to train that the memory has room for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blur.core.errors import ConfigError
from blur.models import Example
from blur.owner import recipe

FORGET = [Example(str(n), list(range(200)), 0) for n in range(20)]


@pytest.fixture(scope="module")
def wide() -> Any:
    """A Llama of a hundred million weights, without numbers."""
    fields = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 6, "num_attention_heads": 8}
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=2000, **fields))


def ways_by_memory(model: Any, patch: pytest.MonkeyPatch) -> list[recipe.Way]:
    """The way that is chosen as memory shrinks, until there is none."""
    found: list[recipe.Way] = []
    free = 1e12
    while True:
        patch.setattr(recipe, "free_memory", lambda device, free=free: int(free))
        try:
            found.append(recipe.way_for(model, {"forget": FORGET, "retain": FORGET}, "cpu"))
        except ConfigError:
            return found
        free = found[-1].peak / recipe.SPARE - 1


def test_less_memory_takes_smaller_batches_and_then_adapters(wide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = ways_by_memory(wide, monkeypatch)
    assert not ways[0].lora
    assert (ways[0].micro, ways[0].checkpointing) == (recipe.BATCH, False)
    assert ways[-1].lora
    assert [way.lora for way in ways] == sorted(way.lora for way in ways)
    assert [way.peak for way in ways] == sorted((way.peak for way in ways), reverse=True)


def test_where_no_way_fits_both_sizes_are_told(wide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "free_memory", lambda device: 2**30 // 10)
    with pytest.raises(ConfigError, match=r"memory of cpu: .* GiB are needed at least, and 0\.1 are free\. Free some"):
        recipe.way_for(wide, {"forget": FORGET, "retain": FORGET}, "cpu")


def test_the_rate_goes_by_the_size() -> None:
    assert recipe.rate_for(7_000_000_000, False) == pytest.approx(1e-5)
    assert recipe.rate_for(70_000_000, False) == pytest.approx(1e-4)
    assert recipe.rate_for(100, False) == 1e-3
    assert recipe.rate_for(70_000_000_000, True) == pytest.approx(1e-5 * recipe.ADAPTER_RATE)


def test_the_method_keeps_its_promise_and_counts_by_tokens(wide: Any) -> None:
    settings = recipe.settings_for(wide, FORGET, 1e-4, 10, recipe.Way(False, 3, True, 0.0), 5)
    combine: Any = settings.combine
    assert (combine.name, combine.momentum, settings.dropout) == ("bilevel", "none", False)
    assert combine.gamma == pytest.approx(recipe.FORGETTING / 199)
    assert (settings.batch_size, settings.accumulation, settings.gradient_checkpointing) == (8, 3, True)
    assert not settings.master_weights
    assert recipe.settings_for(wide.bfloat16(), FORGET, 1e-4, 10, recipe.Way(False, 3, True, 0.0), 5).master_weights


def test_updates_go_by_the_texts() -> None:
    assert [recipe.updates_for(texts) // recipe.TRIALS for texts in (5, 200, 10_000)] == [60, 150, 400]


def test_the_free_memory_is_a_number_of_bytes() -> None:
    assert 2**20 < recipe.free_memory("cpu") < 2**50
