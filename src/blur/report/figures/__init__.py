"""Figures by name: each is one module with ``data(runs, **options)`` and ``draw(runs, task_title, **options)``."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from blur.core.errors import ConfigError
from blur.core.files import atomic_path, atomic_write_text
from blur.report import style
from blur.report.rows import to_csv
from blur.report.runs import Run

# Nothing that changes between two drawings of the same numbers may get into a file.
METADATA = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}


def names() -> list[str]:
    """Return the names of all figures: the modules of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """Import a figure's module.

    Raises:
        ConfigError: there is no such figure.
    """
    if name not in names():
        raise ConfigError(f"no figure {name!r}", None, f"Known: {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")


def check(name: str, options: Mapping[str, Any]) -> ModuleType:
    """Import a figure's module and check that it can be drawn with ``options``.

    Raises:
        ConfigError: there is no such figure, an option is missing, or there is none of that name.
    """
    module = load(name)
    asked = dict(list(inspect.signature(module.draw).parameters.items())[2:])
    missing = [key for key, about in asked.items() if about.default is about.empty and key not in options]
    unknown = [key for key in options if key not in asked]
    if not missing and not unknown:
        return module
    what = f"no option {unknown[0]!r}" if unknown else f"the option {missing[0]!r} is missing"
    remedy = f"It takes under `options`: {', '.join(asked)}"
    raise ConfigError(f"figure {name!r}: {what}", "config/benchmarks, figures", remedy)


def save(
    name: str,
    runs: Sequence[Run],
    out_dir: Path | str,
    *,
    task_title: str | None = None,
    stem: str | None = None,
    **options: Any,
) -> list[Path]:
    """Draw a figure and write it as PDF and PNG, with the rows it is drawn from as CSV.

    Equal rows give equal bytes.

    Args:
        name: the figure's module.
        out_dir: folder of the three files.
        task_title: heads the figure; by default the task's name.
        stem: name of the files; by default the figure's.
        options: handed to the figure's ``data`` and ``draw``.

    Returns:
        The paths of the PDF, the PNG and the CSV.

    Raises:
        ConfigError: as ``check`` does.
    """
    module = check(name, options)
    title = task_title or next((run.task for run in runs), "")
    table = to_csv(module.data(runs, **options))
    figure = module.draw(runs, title, **options)
    paths = [Path(out_dir) / f"{stem or name}.{ending}" for ending in ("pdf", "png", "csv")]
    with style.context():
        for path, (ending, metadata) in zip(paths, METADATA.items(), strict=False):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format=ending, metadata=metadata, dpi=150, bbox_inches="tight")
    atomic_write_text(paths[2], table)
    return paths
