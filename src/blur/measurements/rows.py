"""The rows of the tables of measurements, and their schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
PER_TOKEN = ("logprob", "argmax", "vocab_mean", "vocab_var")


@dataclass(frozen=True)
class LikelihoodRow:
    """One scored text. ``field`` is answer, paraphrased_answer, perturbed_answer, text or gt.

    ``index`` is the position among the perturbed answers and 0 elsewhere; ``text`` the scored continuation. Per-token
    lists are aligned: entry ``t`` of each speaks of scored token ``t``; with ``has_eos`` the last entry is the
    end-of-sequence token.
    """

    set: str
    id: str
    field: str
    index: int
    text: str
    logprob: Sequence[float] | npt.NDArray[Any]
    argmax: Sequence[bool] | npt.NDArray[Any]
    vocab_mean: Sequence[float] | npt.NDArray[Any]
    vocab_var: Sequence[float] | npt.NDArray[Any]
    has_eos: bool


@dataclass(frozen=True)
class GenerationRow:
    """One greedy generation, as decoded. ``finished`` says that the end-of-sequence token was emitted."""

    set: str
    id: str
    prompt: str
    reference: str
    generated: str
    num_tokens: int
    finished: bool


@dataclass(frozen=True)
class GradnormRow:
    """The L2 norm of the gradient of one text's mean token NLL over all parameters."""

    set: str
    id: str
    value: float


@dataclass(frozen=True)
class ChoiceRow:
    """One multiple-choice question as lm-eval put it to the model.

    ``request`` is the name of the harness request; ``options`` are the continuations compared, without the delimiter
    before them; ``logprob`` is the summed log-probability of each; ``answer`` is the index of the right one.
    """

    request: str
    id: str
    subject: str
    prompt: str
    options: Sequence[str]
    logprob: Sequence[float]
    answer: int


@dataclass(frozen=True)
class TextScore:
    """One scored text as metrics see it. Arrays have shape ``[T]``, ``T`` scored tokens, log-probabilities in nats."""

    id: str
    index: int
    text: str
    logprob: Floats
    argmax: Bools
    vocab_mean: Floats
    vocab_var: Floats
    has_eos: bool


class Table(NamedTuple):
    """One table: its row and its columns."""

    row: type[Any]
    schema: pa.Schema


def _strings(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, pa.string()) for name in names]


TABLES = {
    "likelihood": Table(
        LikelihoodRow,
        pa.schema(
            [
                *_strings("set", "id", "field"),
                ("index", pa.int32()),
                *_strings("text"),
                *[(name, pa.list_(pa.bool_() if name == "argmax" else pa.float32())) for name in PER_TOKEN],
                ("has_eos", pa.bool_()),
            ]
        ),
    ),
    "generations": Table(
        GenerationRow,
        pa.schema(
            [
                *_strings("set", "id", "prompt", "reference", "generated"),
                ("num_tokens", pa.int32()),
                ("finished", pa.bool_()),
            ]
        ),
    ),
    "gradnorm": Table(GradnormRow, pa.schema([*_strings("set", "id"), ("value", pa.float64())])),
    "choices": Table(
        ChoiceRow,
        pa.schema(
            [
                *_strings("request", "id", "subject", "prompt"),
                ("options", pa.list_(pa.string())),
                ("logprob", pa.list_(pa.float64())),
                ("answer", pa.int32()),
            ]
        ),
    ),
}
