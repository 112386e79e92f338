"""All raw measurements of one model, with look-ups that fail naming what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, DataError
from blur.measurements import tables
from blur.measurements.rows import (
    PER_TOKEN,
    TABLES,
    ChoiceRow,
    GenerationRow,
    GradnormRow,
    LikelihoodRow,
    TextScore,
)


class Measurements:
    """All raw measurements of one model; any of the tables may be empty."""

    def __init__(
        self,
        likelihood: Iterable[LikelihoodRow] = (),
        generations: Iterable[GenerationRow] = (),
        gradnorm: Iterable[GradnormRow] = (),
        choices: Iterable[ChoiceRow] = (),
        where: str = "measurements",
    ) -> None:
        self.rows: dict[str, tuple[Any, ...]] = {
            "likelihood": tuple(likelihood),
            "generations": tuple(generations),
            "gradnorm": tuple(gradnorm),
            "choices": tuple(choices),
        }
        self.where = where

    @classmethod
    def read(cls, directory: Path | str) -> Measurements:
        """Read an evaluation directory; ``ArtifactError`` where a table or a column is missing."""
        folder = Path(directory)
        found = {
            name: tables.rows(tables.read(folder / f"{name}.parquet", table.schema), table.row)
            for name, table in TABLES.items()
        }
        return cls(**found, where=str(folder))

    @classmethod
    def verified(cls, directory: Path) -> Measurements:
        """Read an evaluation directory after checking its files; ``ArtifactError`` where one is not the manifest's."""
        manifests.check_files(directory, manifests.read(directory))
        return cls.read(directory)

    def write(self, directory: Path | str) -> list[str]:
        """Write all tables (also where empty), each whole or not at all; return the names of the files."""
        for name, table in TABLES.items():
            tables.write(Path(directory) / f"{name}.parquet", self.rows[name], table.schema)
        return [f"{name}.parquet" for name in TABLES]

    @cached_property
    def _scores(self) -> dict[tuple[str, str], list[TextScore]]:
        found: dict[tuple[str, str], dict[tuple[str, int], TextScore]] = {}
        for row in self.rows["likelihood"]:
            texts = found.setdefault((row.set, row.field), {})
            if (row.id, row.index) in texts:
                what = f"set {row.set}, field {row.field}: id {row.id} (index {row.index}) was scored twice"
                raise DataError(what, self.where, "ids must be unique within a set")
            texts[row.id, row.index] = _score(row)
        return {key: list(texts.values()) for key, texts in found.items()}

    @cached_property
    def _generations(self) -> dict[str, list[GenerationRow]]:
        return self._grouped("generations", "set")

    @cached_property
    def _gradnorms(self) -> dict[str, list[GradnormRow]]:
        return self._grouped("gradnorm", "set")

    @cached_property
    def _choices(self) -> dict[str, list[ChoiceRow]]:
        return self._grouped("choices", "request")

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

    def choices(self, request: str) -> list[ChoiceRow]:
        """Questions of one harness request; ``ArtifactError`` listing what there is if it is absent."""
        return self._pick(self._choices, request, f"no multiple-choice questions of request {request!r}")

    def _pick(self, table: Mapping[Any, Any], key: Any, what: str) -> Any:
        if key not in table:
            there = ", ".join("/".join(name) if isinstance(name, tuple) else name for name in table) or "nothing"
            raise ArtifactError(
                f"{what}; there is: {there}", self.where, "Name it under `measure` of the benchmark, or drop the metric"
            )
        return table[key]

    def _grouped(self, table: str, key: str) -> dict[str, list[Any]]:
        found: dict[str, dict[str, Any]] = {}
        for row in self.rows[table]:
            items = found.setdefault(getattr(row, key), {})
            if row.id in items:
                what = f"{key} {getattr(row, key)}: id {row.id} occurs twice"
                raise DataError(what, self.where, "ids must be unique within a set")
            items[row.id] = row
        return {name: list(items.values()) for name, items in found.items()}


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
