"""Raw measurements of one model: what evaluation writes and metrics read. No metric and no model is known here.

Three Parquet tables per evaluated model: ``likelihood`` (one row per scored text, with one number per token),
``generations`` (one row per prompt) and ``gradnorm`` (one row per text). Per-token lists are aligned: entry ``t`` of
``logprob``, ``argmax``, ``vocab_mean`` and ``vocab_var`` all speak of scored token ``t``; with ``has_eos`` the last
entry is the end-of-sequence token. Logarithms are natural.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from blur.core.errors import ArtifactError, DataError
from blur.core.files import atomic_path

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
PER_TOKEN = ("logprob", "argmax", "vocab_mean", "vocab_var")

LIKELIHOOD_SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("set", "id", "field")],
        ("index", pa.int32()),
        ("text", pa.string()),
        *[(name, pa.list_(pa.bool_() if name == "argmax" else pa.float32())) for name in PER_TOKEN],
        ("has_eos", pa.bool_()),
    ]
)
GENERATIONS_SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("set", "id", "prompt", "reference", "generated")],
        ("num_tokens", pa.int32()),
        ("finished", pa.bool_()),
    ]
)
GRADNORM_SCHEMA = pa.schema([("set", pa.string()), ("id", pa.string()), ("value", pa.float64())])
EPOCH = pa.field("epoch", pa.int32())


@dataclass(frozen=True)
class LikelihoodRow:
    """One scored text. ``field`` is answer, paraphrased_answer, perturbed_answer or text.

    ``index`` is the position among the perturbed answers and 0 elsewhere; ``text`` the scored continuation.
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
    """One greedy generation. ``finished`` says that the end-of-sequence token was emitted."""

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


def _score(row: LikelihoodRow) -> TextScore:
    lengths = {name: len(getattr(row, name)) for name in PER_TOKEN}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"per-token lists of unequal length {lengths}", f"set {row.set}, id {row.id}, field {row.field}"
        )
    return TextScore(
        row.id,
        row.index,
        row.text,
        np.asarray(row.logprob, dtype=np.float64),
        np.asarray(row.argmax, dtype=np.bool_),
        np.asarray(row.vocab_mean, dtype=np.float64),
        np.asarray(row.vocab_var, dtype=np.float64),
        bool(row.has_eos),
    )


def _table(rows: Iterable[Any], schema: pa.Schema, extra: Mapping[str, Sequence[Any]] | None = None) -> pa.Table:
    """Rows of one dataclass (and columns that no row has) as a table of the given schema."""
    rows, extra = list(rows), extra or {}
    columns = {name: extra[name] if name in extra else [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def _write(table: pa.Table, path: Path) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        raise ArtifactError("no such table of measurements", str(path), "run the evaluation of this model again")
    with open(path, "rb") as handle:
        found = pq.read_table(handle)
    missing = [name for name in schema.names if name not in found.column_names]
    if missing:
        raise ArtifactError(
            f"columns {', '.join(missing)} are missing", str(path), "run the evaluation of this model again"
        )
    return found.select(schema.names)


def _rows(table: pa.Table, row: type[Any]) -> list[Any]:
    columns = [table.column(item.name).to_pylist() for item in fields(row)]
    return [row(*values) for values in zip(*columns, strict=True)]


class Measurements:
    """All raw measurements of one model; any of the three tables may be empty."""

    def __init__(
        self,
        likelihood: Iterable[LikelihoodRow] = (),
        generations: Iterable[GenerationRow] = (),
        gradnorm: Iterable[GradnormRow] = (),
        where: str = "measurements",
    ) -> None:
        self.likelihood_rows = tuple(likelihood)
        self.generation_rows = tuple(generations)
        self.gradnorm_rows = tuple(gradnorm)
        self.where = where

    @classmethod
    def read(cls, directory: Path | str) -> Measurements:
        """Read an evaluation directory; ``ArtifactError`` where a table or a column is missing."""
        folder = Path(directory)
        return cls(
            _rows(_read(folder / "likelihood.parquet", LIKELIHOOD_SCHEMA), LikelihoodRow),
            _rows(_read(folder / "generations.parquet", GENERATIONS_SCHEMA), GenerationRow),
            _rows(_read(folder / "gradnorm.parquet", GRADNORM_SCHEMA), GradnormRow),
            where=str(folder),
        )

    def write(self, directory: Path | str) -> list[str]:
        """Write the three tables (also where empty), each whole or not at all; return the names of the files."""
        folder = Path(directory)
        _write(_table(self.likelihood_rows, LIKELIHOOD_SCHEMA), folder / "likelihood.parquet")
        _write(_table(self.generation_rows, GENERATIONS_SCHEMA), folder / "generations.parquet")
        _write(_table(self.gradnorm_rows, GRADNORM_SCHEMA), folder / "gradnorm.parquet")
        return ["likelihood.parquet", "generations.parquet", "gradnorm.parquet"]

    @cached_property
    def _scores(self) -> dict[tuple[str, str], list[TextScore]]:
        found: dict[tuple[str, str], dict[tuple[str, int], TextScore]] = {}
        for row in self.likelihood_rows:
            texts = found.setdefault((row.set, row.field), {})
            if (row.id, row.index) in texts:
                what = f"set {row.set}, field {row.field}: id {row.id} (index {row.index}) was scored twice"
                raise DataError(what, self.where, "ids must be unique within a set")
            texts[row.id, row.index] = _score(row)
        return {key: list(texts.values()) for key, texts in found.items()}

    @cached_property
    def _generations(self) -> dict[str, list[GenerationRow]]:
        return _by_set(self.generation_rows, self.where)

    @cached_property
    def _gradnorms(self) -> dict[str, list[GradnormRow]]:
        return _by_set(self.gradnorm_rows, self.where)

    def likelihood(self, set: str, field: str) -> list[TextScore]:
        """Scores of one field of one set, in file order; ``ArtifactError`` listing what there is if it is absent."""
        return self._pick(self._scores, (set, field), f"no likelihood of set {set!r}, field {field!r}")

    def generations(self, set: str) -> list[GenerationRow]:
        """Generations of one set in file order; ``ArtifactError`` listing what there is if it is absent."""
        return self._pick(self._generations, set, f"no generations of set {set!r}")

    def gradnorm(self, set: str) -> dict[str, float]:
        """Gradient norm by id, in file order; ``ArtifactError`` listing what there is if it is absent."""
        rows = self._pick(self._gradnorms, set, f"no gradient norms of set {set!r}")
        return {row.id: float(row.value) for row in rows}

    def _pick(self, table: Mapping[Any, Any], key: Any, what: str) -> Any:
        if key not in table:
            there = ", ".join("/".join(name) if isinstance(name, tuple) else name for name in table) or "nothing"
            raise ArtifactError(f"{what}; there is: {there}", self.where, "evaluate that set or drop the metric")
        return table[key]


def _by_set(rows: Iterable[Any], where: str) -> dict[str, list[Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        items = found.setdefault(row.set, {})
        if row.id in items:
            raise DataError(f"set {row.set}: id {row.id} occurs twice", where, "ids must be unique within a set")
        items[row.id] = row
    return {name: list(items.values()) for name, items in found.items()}


def write_epochs(path: Path | str, epochs: Mapping[int, Sequence[LikelihoodRow]]) -> None:
    """Write the likelihood rows of each epoch's end (0 = before training) to one Parquet file."""
    numbers = [number for number, rows in epochs.items() for _ in rows]
    rows = [row for rows in epochs.values() for row in rows]
    _write(_table(rows, pa.schema([*LIKELIHOOD_SCHEMA, EPOCH]), {"epoch": numbers}), Path(path))


def read_epochs(path: Path | str) -> dict[int, Measurements]:
    """Read a file of ``write_epochs``: measurements by epoch, in rising order."""
    table = _read(Path(path), pa.schema([*LIKELIHOOD_SCHEMA, EPOCH]))
    found: dict[int, list[LikelihoodRow]] = {}
    numbers = table.column("epoch").to_pylist()
    for number, row in zip(numbers, _rows(table, LikelihoodRow), strict=True):
        found.setdefault(number, []).append(row)
    return {number: Measurements(found[number], where=f"{path}, epoch {number}") for number in sorted(found)}
