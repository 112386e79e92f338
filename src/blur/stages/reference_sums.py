"""Stage ``reference_sums``: log-likelihoods under the model before unlearning, so that it need not live in memory."""

from __future__ import annotations

from blur import models
from blur.core.files import write_json
from blur.core.runtime import make_deterministic
from blur.stages.job import Job
from blur.stages.sets import examples, read_sets

NAME = "reference_sums.json"


def run(job: Job) -> None:
    """Write ``{id: sum over tokens of -log p}`` in nats for each text of the forget sets."""
    from blur.unlearn.references import reference_sums

    directory, model = job.directory(f"derived/reference_sums/{job.request}"), job.directory("models")
    inputs = {"data": job.data, "model": model}
    with job.writing(directory, inputs) as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        loaded = models.load(model, device=job.device)
        forget = examples(loaded, read_sets(job.data, job.settings["sets"]), job.settings)
        write_json(directory / NAME, reference_sums(loaded.model, forget))
        job.close(directory, [NAME], inputs)
