"""The constant weight that comes nearest to a BLUR run, 1 / mean(xi) over its steps.

At each step BLUR's u = g_r + xi g_f is, up to the factor xi, the weighted sum g_f + lambda_t g_r with
lambda_t = 1 / xi_t.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal

from blur.core.errors import ArtifactError
from blur.core.files import read_json, write_json
from blur.core.paths import STEPS
from blur.derived.base import DerivedBase, Source

FILE = "matched_lambda.json"


class Derived(DerivedBase):
    """``{"lambda": ..., "mean_xi": ..., "num_steps": ...}``, from the log of the run's steps."""

    name: Literal["matched_lambda"] = "matched_lambda"
    reads_weights: ClassVar = False

    def unfit(self, source: Any) -> str | None:
        """Return that a run has no xi of BLUR's: that of ``reversed`` multiplies the retain gradient."""
        combine = getattr(source, "combine", None)
        return None if combine and combine.name == "bilevel" else "a weight is matched to a run of `combine: bilevel`"

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the weight.

        Raises:
            ArtifactError: mean(xi) is not positive, so that no weighted sum matches.
        """
        values = [record["xi"] for record in source.steps() if record["xi"] is not None]
        mean = fmean(values) if values else 0.0
        if mean <= 0:
            what = f"mean(xi) = {mean:.3g} over {len(values)} steps"
            raise ArtifactError(what, str(source.directory / STEPS), "Match another run")
        write_json(folder / FILE, {"lambda": 1 / mean, "mean_xi": mean, "num_steps": len(values)})
        return [FILE]

    def read(self, folder: Path) -> float:
        """Return the weight."""
        return float(read_json(folder / FILE)["lambda"])
