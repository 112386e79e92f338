"""The published form of `report.json`, made of its typed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blur.config.export import DIALECT, FOLDER
from blur.core.files import write_json
from blur.owner.report import Report


def report_schema() -> dict[str, Any]:
    """Return the JSON schema of a report."""
    return {"$schema": DIALECT, **Report.model_json_schema(mode="serialization")}


def write_report_schema(folder: Path = FOLDER) -> None:
    """Write ``<folder>/report.schema.json``."""
    write_json(folder / "report.schema.json", report_schema())
