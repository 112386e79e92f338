"""Stage ``reference_sums``: log-likelihoods under the model before unlearning, so that it need not live in memory."""

from __future__ import annotations

from blur.core.files import write_json
from blur.core.paths import REFERENCE_SUMS
from blur.core.runtime import make_deterministic
from blur.models.io import load
from blur.stages.job import Job
from blur.stages.sets import examples, read_sets, source_of


def run(job: Job) -> None:
    """Write ``{id: sum over tokens of -log p}`` in nats for each text of the forget sets and each alternate."""
    from blur.unlearn.references import reference_sums

    directory, model = job.directory(f"derived/reference_sums/{job.request}"), job.directory("models")
    inputs = {"data": job.data, "model": model}
    with job.writing(inputs, directory) as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        loaded = load(model, device=job.device)
        records, source = read_sets(job.data, job.settings["sets"]), source_of(job.settings, "forget")
        forget = examples(loaded, records, job.settings, alternates=source)
        write_json(directory / REFERENCE_SUMS, reference_sums(loaded.model, forget))
        job.close(directory, [REFERENCE_SUMS], inputs)
