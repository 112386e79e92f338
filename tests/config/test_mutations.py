"""Random changes of the shipped files: refused in a line that names a file, or accepted; never a traceback.

What makes a number infinite or a truth value is always refused, with the changed file; fifty sound changes are not.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blur.core.errors import BlurError
from tests.config.refusals import DELETED, ROOT, changed, copy_config, look, read_once, rewritten
from tests.config.refusals import read as read_text
from tests.config.test_refused import blamed

__all__ = ["read_once"]  # a fixture
NPO, CI, TASK, BENCH = "methods/blur_npo.yaml", "scales/ci.yaml", "tasks/tofu.yaml", "benchmarks/tofu.yaml"
FILES = (
    "config.yaml",
    "resources.yaml",
    "planner.yaml",
    CI,
    TASK,
    BENCH,
    "models/llama-tiny.yaml",
    *(f"methods/{name}.yaml" for name in ("blur_npo", "graddiff", "rmu", "npo_gdr", "sure_graddiff")),
    *(f"attacks/{name}.yaml" for name in ("relearn", "quantization", "prompts", "parts")),
)
VALUES = (None, True, -1, 0, 10**40, 0.5, math.inf, math.nan, "", "x", "a/b", "../x", [], [[]], {}, {"name": "x"}, [1])


def places(content: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every place below the top of a file, and the value there."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        if "/" not in str(key):
            yield (*above, str(key)), value
            yield from places(value, (*above, str(key)))


def read(file: str) -> Any:
    return read_text((ROOT / "config" / file).read_text(encoding="utf-8"))


def is_read(file: str, place: tuple[str, ...]) -> bool:
    """Whether task tofu of scale ci reads a value."""
    return file != CI or place[0] != "tasks" or place[1] == "tofu"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_config(tmp_path_factory.mktemp("mutated"))


def mutations(count: int) -> list[tuple[str, str, Any]]:
    rng, found = random.Random(14), []
    for index in range(count):
        file = FILES[index % len(FILES)]
        place, value = rng.choice(list(places(read(file))))
        chosen = rng.choice((*VALUES, DELETED, "misspelt"))
        found.append((file, "/".join(place), value[:-1] if chosen == "misspelt" and isinstance(value, str) else chosen))
    return found


def fault(folder: Path) -> str | None:
    """What is said against a configuration; None where it is sound."""
    try:
        look(folder)
    except BlurError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("file", "key", "value"), mutations(90), ids=str)
def test_any_change_is_accepted_or_told_in_a_line(folder: Path, file: str, key: str, value: Any) -> None:
    with changed(folder / file, key, value):
        message = fault(folder)
    assert message is None or "\n" not in message
    assert message is None or all(name.endswith(".yaml") for name in blamed(message))


def numbers(count: int) -> list[tuple[str, str]]:
    found = [
        (file, "/".join(place))
        for file in FILES
        for place, value in places(read(file))
        if isinstance(value, int | float) and not isinstance(value, bool) and is_read(file, place)
    ]
    return random.Random(14).sample(found, count)


@pytest.mark.parametrize(("file", "key"), numbers(30), ids=str)
@pytest.mark.parametrize("value", [math.inf, True])
def test_every_number_of_every_file_is_bounded_and_no_truth_value(
    folder: Path, file: str, key: str, value: Any
) -> None:
    with changed(folder / file, key, value), pytest.raises(BlurError) as caught:
        look(folder)
    assert file in blamed(str(caught.value))


SOUND: list[tuple[str, str, Any]] = [
    *((CI, "unlearn/optimizer/lr", value) for value in ("1e-3", 1e-9, 1, 10)),
    *((CI, "unlearn/optimizer/weight_decay", value) for value in (0, 0.1, "0.01")),
    *((CI, "unlearn/batch_size", value) for value in (1, 4.0, "8", 10**6)),
    *((CI, "unlearn/accumulation", value) for value in (1, 2)),
    *((CI, "unlearn/log_gradients", value) for value in (True, False)),
    *((CI, "unlearn/max_grad_norm", value) for value in (None, 0.5, 10)),
    *((CI, "unlearn/schedule", {"name": "linear", "warmup": value}) for value in ({"steps": 0}, {"ratio": 1})),
    *((CI, "unlearn/schedule", {"name": name}) for name in ("constant", "linear", "cosine")),
    *((CI, "runs/0/seeds", value) for value in ([0], [0, 1, 2**32 - 1])),
    *((CI, "runs/0/methods", value) for value in (["ga"], ["blur_npo", "rmu", "sure_graddiff"])),
    *((CI, "runs/1/variants", value) for value in (["*"], ["lambda*", "lora"], ["default", "lambda0.3"])),
    *((CI, "device", value) for value in ("cpu", "cuda", "cuda:1")),
    (CI, "variants", {"slow": {"optimizer": {"lr": 1e-5}}}),
    (CI, "attacks/relearn", {"at": [1], "arms": {"retain": None}}),
    *((TASK, "data/max_eval_retain", value) for value in (None, 1, 80)),
    *((TASK, "target", value) for value in ({"kind": "hub", "name": "a/b"}, {"kind": "train", "seed": 7})),
    (TASK, "retrained", {"kind": "none"}),
    *((TASK, "texts", value) for value in ("documents", "packed", "truncated")),
    *((NPO, "settings/combine/gamma", value) for value in (0, 0.5, 4)),
    (NPO, "settings/combine", {"name": "bilevel", "one_sided": True, "projection": "per_module"}),
    *((NPO, "variants/lora/wrapper", value) for value in ("lora", {"name": "lora", "rank": 32})),
    (NPO, "variants/gamma_8+x.y-z", {"combine": {"gamma": 8}}),
    (NPO, "variants/layers", {"scope": {"name": "modules", "layers": [0], "patterns": [r"\.{layer}\.mlp"]}}),
    *((BENCH, "metrics/18/k", value) for value in (0.2, 1)),
    (BENCH, "metrics/0/direction", "higher"),
    (BENCH, "figures/front/options/levels", 7),
    (BENCH, "figures/claims/options/pairs", {"ga": "npo"}),
    (BENCH, "table/collapsed", 0.25),
    ("models/llama-tiny.yaml", "model/dtype", "bfloat16"),
]


def test_there_are_fifty_sound_changes() -> None:
    assert len(SOUND) >= 50


@pytest.mark.parametrize(("file", "key", "value"), SOUND, ids=str)
def test_a_sound_change_is_accepted(folder: Path, file: str, key: str, value: Any) -> None:
    with changed(folder / file, key, value):
        look(folder)


def test_a_byte_order_mark_is_accepted_in_any_file(folder: Path) -> None:
    with rewritten(folder / CI, b"\xef\xbb\xbf" + (folder / CI).read_bytes()):
        look(folder)
