"""The model card that every model directory carries."""

from __future__ import annotations

from blur.stages.job import Job

FICTION = (
    "Models made from scratch learn the general items (real authors, world facts) in both trainings, target and "
    "retrained, so that model utility means something; they know nothing else."
)


def card(job: Job, summary: str) -> str:
    """Return Markdown that says what a model is, what it was made from and what it must not be taken for."""
    run, task = job.run, job.task
    assert run is not None
    lines = [
        f"# {run.path}",
        "",
        summary,
        "",
        f"- task: {task.config.title} (`{task.name}`), scale `{job.scale}`",
        f"- base model: `{task.config.model}`",
        "- settings, code fingerprint, data hashes, library versions, seed, cost: `manifest.json`",
        "",
        FICTION if task.model.architecture else "",
        "",
        "Made for research on unlearning. A good score here is no proof that information is gone; see the attacks.",
    ]
    return "\n".join(lines) + "\n"
