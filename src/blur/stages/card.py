"""The model card that every model directory carries.

It says what the keys of the model and of what it was made from cover, so that it cannot grow old: names, no titles.
"""

from __future__ import annotations

from blur.stages.job import Job

SCRATCH = "Models made from scratch know nothing but the texts of the task that they were trained on."
GENERAL = (
    " Both trainings, target and retrained, have the general items (real authors, world facts) among them, so that "
    "model utility means something."
)


AROUND = "The folder `wrapper` belongs to the model: whoever loads the weights alone has a model that forgot nothing."


def card(job: Job, summary: str, stays: bool = False) -> str:
    """Return Markdown that says what a model is, what it was made from and what it must not be taken for.

    Args:
        stays: whether something is around the stored weights.
    """
    run, model = job.run, job.task.model
    base = f"`{model.name_or_path}`" if model.name_or_path else "made from scratch, as in `config.json`"
    lines = [
        f"# {run.path}",
        "",
        summary,
        "",
        f"- task: `{job.task.name}`, scale `{job.scale}`",
        f"- base model: {base}",
        "- settings, code fingerprint, hashes of inputs, seed: `manifest.json`; libraries, host, cost: `made.json`",
        "",
        *([f"**{AROUND}**", ""] if stays else []),
        _made_from_scratch(job) if model.architecture else "",
        "",
        "Made for research on unlearning. A good score here is no proof that information is gone; see the attacks.",
    ]
    return "\n".join(lines) + "\n"


def _made_from_scratch(job: Job) -> str:
    """Return what such a model knows; general items are a setting of TOFU's data only."""
    return SCRATCH + (GENERAL if getattr(job.task.data, "learn_general", False) else "")
