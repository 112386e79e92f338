"""One evaluated run, as it lies on disk, and how the figures group runs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from blur.core import manifest
from blur.core.errors import ArtifactError
from blur.core.files import read_json
from blur.core.remedy import to_make, to_mend

REFERENCES = {"base": "Base", "target": "Target", "retrained": "Retrained"}
DEFAULT = "default"
MATCHED = "matched"


def loss_name(value: Any) -> str:
    """Name the loss (or the losses, joined by ``+``) of one side of a method's settings; ``none`` where there is none.

    Args:
        value: a name, ``{"name": ..}``, ``{"loss": ..}``, a list of these, or nothing.
    """
    if isinstance(value, Mapping):
        return loss_name(value.get("name", value.get("loss")))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(loss_name(part) for part in value) or "none"
    return str(value) if value else "none"


def finite(value: Any) -> float | None:
    """Return ``value`` as a float, or None where it is absent, NaN or infinite."""
    number = float(value) if isinstance(value, int | float) else math.nan
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Run:
    """One (method, variant, seed) with its stored results.

    Attributes:
        family: name of the forget loss (``npo``); the method's own name where it has none; ``reference`` for
            target, retrained and base.
        metrics: value by metric name; None where it is not defined.
        about: by metric name: ``direction``, ``n``, ``details`` and, where not defined, ``reason``.
        directory: folder of metrics.json; None for a run made in memory.
        models: folder of steps.jsonl.
        attacks: content of attack.json by attack; empty for a run that was not attacked.
        unchanged: whether its forget metrics cannot be told from the target's (``blur.report.unchanged``).
    """

    method: str
    title: str
    family: str
    variant: str
    seed: int
    settings: dict[str, Any]
    metrics: dict[str, float | None]
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    task: str = ""
    scale: str = ""
    directory: Path | None = None
    models: Path | None = None
    attacks: Mapping[str, Any] = field(default_factory=dict)
    unchanged: bool = False

    @cached_property
    def items(self) -> dict[str, dict[str, float]]:
        """Finite values by metric and item, the item as ``set/id``; empty for a run made in memory."""
        path = self.directory / "items.parquet" if self.directory else None
        if path is None or not path.exists():
            return {}
        import pyarrow.parquet as pq

        found: dict[str, dict[str, float]] = {}
        for row in pq.read_table(path).to_pylist():
            if (value := finite(row["value"])) is not None:
                found.setdefault(row["metric"], {})[f"{row['set']}/{row['id']}"] = value
        return found

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """Step records in order; empty for a run that took none (a reference, an edit).

        Raises:
            ArtifactError: the model directory is not there.
        """
        if self.models is None or self.is_reference:
            return []
        if not self.models.is_dir():
            raise ArtifactError("no such model directory", str(self.models), to_make(self.models))
        path = self.models / "steps.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

    @cached_property
    def trajectory(self) -> list[dict[str, Any]]:
        """Metrics at the end of each epoch (``epoch`` 0 is before the first); empty where none were kept."""
        path = self.directory / "trajectory.json" if self.directory else None
        return read_json(path)["epochs"] if path and path.exists() else []

    @property
    def is_matched(self) -> bool:
        """Whether lambda was derived from a BLUR run (variant ``matched`` or ``matched_<variant of BLUR>``)."""
        return self.variant.startswith(MATCHED)

    @property
    def is_reference(self) -> bool:
        """Whether this is the target, the retrained or the base model."""
        return self.method in REFERENCES

    @property
    def name(self) -> str:
        """Title, with the variant where it is not the default."""
        return self.title if self.variant == DEFAULT else f"{self.title} ({self.variant})"

    @property
    def combine(self) -> dict[str, Any]:
        """Settings of the combination; empty for references and edits."""
        return self.settings.get("combine") or {}

    def value(self, metric: str) -> float | None:
        """Return a metric, or ``metric.detail``; None where it is absent or not finite."""
        if metric in self.metrics:
            return finite(self.metrics[metric])
        name, _, detail = metric.partition(".")
        return finite((self.about.get(name, {}).get("details") or {}).get(detail))


def read_runs(paths: Iterable[Path | str], titles: Mapping[str, str] | None = None) -> list[Run]:
    """Read runs, sorted by method, variant and seed.

    Args:
        paths: metrics.json files, their folders, or folders above them.
        titles: title by method; else the run's own settings are asked, then its name.

    Raises:
        ArtifactError: nothing there, a file that is not a metrics.json, or two results of one run.
    """
    files = sorted({found.absolute() for path in paths for found in _find(Path(path))})
    runs = sorted((_read(path, titles or {}) for path in files), key=identity)
    for first, second in pairwise(runs):
        if identity(first) == identity(second) and first.task == second.task:
            raise ArtifactError(f"the run {identity(first)} is there twice", str(second.directory), "Give one of them")
    return runs


def with_attacks(runs: Iterable[Run], folders: Iterable[Path]) -> list[Run]:
    """Return runs with what came back in the attacks on them.

    Args:
        folders: of attack.json; those of other runs are passed over.
    """
    told = [_checked(folder / "attack.json") for folder in folders]
    return [
        replace(run, attacks={one["attack"]: one for one in told if identity(run) == _attacked(one)}) for run in runs
    ]


def first_attacked(runs: Iterable[Run], attack: str) -> list[Run]:
    """Return one run of each (method, variant) on which an attack was made, in the order of legends."""
    return [group[0] for group in by_method(run for run in runs if attack in run.attacks).values()]


def points_of(attack: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the points of an attack by name, arms in their order, each along its steps."""
    order = attack["arms"]
    found = attack["points"].items()
    return dict(sorted(found, key=lambda item: (order.index(item[1]["arm"]), item[1].get("step", 0), item[0])))


def _attacked(record: Mapping[str, Any]) -> tuple[str, str, int]:
    return record["method"], record["variant"], int(record["seed"])


def identity(run: Run) -> tuple[str, str, int]:
    """Return what names a run within a task; also the order of runs."""
    return run.method, run.variant, run.seed


def names(runs: Sequence[Run]) -> list[str]:
    """Return the name of each run, with its seed where another one has the same name."""
    counts = Counter(run.name for run in runs)
    return [f"{run.name}, seed {run.seed}" if counts[run.name] > 1 else run.name for run in runs]


def of_default(runs: Iterable[Run]) -> list[Run]:
    """Return the runs of the default variants, references left out."""
    return [run for run in runs if run.variant == DEFAULT and not run.is_reference]


def by_method(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    """Group runs (their seeds) by (method, variant), in the order of the family, BLUR last in it."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=rank):
        groups.setdefault((run.method, run.variant), []).append(run)
    return groups


def first_of(runs: Iterable[Run]) -> dict[str, Run]:
    """Return a run of each method, of its default variant where there is one: it tells the method's title and look."""
    found: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: (run.variant != DEFAULT, identity(run))):
        found.setdefault(run.method, run)
    return found


def rank(run: Run) -> tuple[Any, ...]:
    """Return the sort key of every table and legend: references, then families, weighted before bilevel."""
    references = list(REFERENCES)
    place = references.index(run.method) if run.is_reference else len(references)
    lead = ("ga", "npo", "simnpo")
    family = lead.index(run.family) if run.family in lead else len(lead)
    bilevel = run.combine.get("name") == "bilevel"
    retain = loss_name(run.settings.get("retain"))
    order = {"none": 0, "nll": 1}.get(retain, 2)
    return (place, family, run.family, bilevel, order, run.method, run.variant != DEFAULT, swept(run), *identity(run))


def swept(run: Run) -> float:
    """Return the strength that variants sweep: gamma of a hierarchy, lambda of ``weighted``; -1 where there is none."""
    value = finite(run.combine.get("gamma", run.combine.get("lam")))
    return -1.0 if value is None else value


def _find(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = [path / "metrics.json"] if (path / "metrics.json").exists() else sorted(path.rglob("metrics.json"))
    if not found:
        raise ArtifactError("no metrics.json here or below", str(path), to_make(path))
    return found


def _checked(path: Path) -> Any:
    """Read a stored result, and compare it with the manifest beside it where there is one."""
    if (path.parent / manifest.NAME).is_file():
        manifest.check_files(path.parent, manifest.read(path.parent), [path.name])
    return read_json(path)


def _read(path: Path, titles: Mapping[str, str]) -> Run:
    record = _checked(path)
    try:
        method, variant, seed = record["method"], record["variant"], int(record["seed"])
        metrics = {name: finite(value) for name, value in record["metrics"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"not a metrics file ({error!r})", str(path), to_mend(path)) from error
    settings = record.get("settings") or {}
    title = titles.get(method) or settings.get("title") or REFERENCES.get(method) or method.replace("_", "-").upper()
    return Run(
        method=method,
        title=title,
        family=_family(method, settings),
        variant=variant,
        seed=seed,
        settings=settings,
        metrics=metrics,
        about=record.get("about") or {},
        task=record.get("task", ""),
        scale=record.get("scale", ""),
        directory=path.parent,
        models=_models(path.parent),
    )


def _family(method: str, settings: Mapping[str, Any]) -> str:
    if method in REFERENCES:
        return "reference"
    name = loss_name(settings.get("forget"))
    return method if name == "none" else name


def _models(directory: Path) -> Path:
    """The model of results/<scale>/metrics/<run> lies in results/<scale>/models/<run>."""
    parts = list(directory.parts)
    if "metrics" not in parts:
        return directory
    place = len(parts) - 1 - parts[::-1].index("metrics")
    return Path(*parts[:place], "models", *parts[place + 1 :])
