"""The model card that every model directory carries."""

from __future__ import annotations

from blur.stages.job import Job

SCRATCH = "Models made from scratch know nothing but the texts of the task that they were trained on."
GENERAL = (
    " Both trainings, target and retrained, have the general items (real authors, world facts) among them, so that "
    "model utility means something."
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
        _made_from_scratch(job) if task.model.architecture else "",
        "",
        "Made for research on unlearning. A good score here is no proof that information is gone; see the attacks.",
    ]
    return "\n".join(lines) + "\n"


def _made_from_scratch(job: Job) -> str:
    """Return what such a model knows; general items are a setting of TOFU's data only."""
    return SCRATCH + (GENERAL if getattr(job.task.data, "learn_general", False) else "")
