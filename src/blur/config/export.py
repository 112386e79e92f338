"""JSON schemas of the configuration files, generated from the typed models: for Snakemake and for editors."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from blur.config import schema
from blur.core.files import write_json
from blur.report.published import Published

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path("workflow/schemas")
MODELS: dict[str, type[BaseModel]] = {
    "config": schema.MainConfig,
    "scale": schema.ScaleConfig,
    "task": schema.TaskConfig,
    "benchmark": schema.BenchmarkConfig,
    "figures": schema.FiguresConfig,
    "model": schema.ModelConfig,
    "method": schema.MethodConfig,
    "published": Published,
}


def write_schemas(folder: Path = FOLDER) -> None:
    """Write ``<folder>/<file kind>.schema.json`` for every kind of file."""
    for name, model in MODELS.items():
        write_json(folder / f"{name}.schema.json", {"$schema": DIALECT, **model.model_json_schema()})
