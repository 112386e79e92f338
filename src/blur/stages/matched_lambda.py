"""Stage ``matched_lambda``: the constant weight that comes nearest to a BLUR run, 1 / mean(xi) over its steps.

At each step BLUR's u = g_r + xi g_f is, up to the factor xi, the weighted sum g_f + lambda_t g_r with
lambda_t = 1 / xi_t.
"""

from __future__ import annotations

import json
from statistics import fmean

from blur.core.errors import ArtifactError
from blur.core.files import write_json
from blur.core.paths import MATCHED_LAMBDA
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write ``{"lambda": ..., "mean_xi": ..., "num_steps": ...}``.

    Raises:
        ArtifactError: mean(xi) is not positive, so that no weighted sum matches.
    """
    directory, model = job.directory("derived/matched_lambda"), job.directory("models")
    inputs = {"model": model}
    with job.writing(inputs, directory) as done:
        if done:
            return
        path = model / "steps.jsonl"
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        values = [record["xi"] for record in records if record["xi"] is not None]
        mean = fmean(values) if values else 0.0
        if mean <= 0:
            raise ArtifactError(f"mean(xi) = {mean:.3g} over {len(values)} steps", str(path), "Match another run")
        write_json(directory / MATCHED_LAMBDA, {"lambda": 1 / mean, "mean_xi": mean, "num_steps": len(values)})
        job.close(directory, [MATCHED_LAMBDA], inputs)
