"""The model card that every model directory carries.

It says what the keys of the model and of what it was made from cover, so that it cannot grow old: names, no titles.
"""

from __future__ import annotations

from blur.stages.job import Job

SUMMARIES = {
    "base": "The base model, before any of the task's data.",
    "derive": "Made on the way to an unlearned model, for a method to read: it may know the forget set by heart.",
}
FETCHED = "Fetched by name."
TRAINED = {
    "target": "Fine-tuned on all of the task's data: the model that unlearning starts from.",
    "retrained": "Fine-tuned without the forget set: what perfect unlearning would give.",
}
SCRATCH = "Models made from scratch know nothing but the texts of the task that they were trained on."
GENERAL = (
    " Both trainings, target and retrained, have the general items (real authors, world facts) among them, so that "
    "model utility means something."
)


AROUND = "The folder `wrapper` belongs to the model: whoever loads the weights alone has a model that forgot nothing."


def card(job: Job) -> str:
    """Return Markdown that says what a model is, what it was made from and what it must not be taken for."""
    run, model = job.run, job.task.model
    base = f"`{model.name_or_path}`" if model.name_or_path else "made from scratch, as in `config.json`"
    lines = [
        f"# {run.path}",
        "",
        _summary(job),
        "",
        f"- task: `{job.task.name}`, scale `{job.scale}`",
        f"- base model: {base}",
        "- settings, code fingerprint, hashes of inputs, seed: `manifest.json`; libraries, host, cost: `made.json`",
        "",
        *([f"**{AROUND}**", ""] if _is_wrapped(job) else []),
        _made_from_scratch(job) if model.architecture else "",
        "",
        "Made for research on unlearning. A good score here is no proof that information is gone; see the attacks.",
    ]
    return "\n".join(lines) + "\n"


def _summary(job: Job) -> str:
    """Return what was done to make the model."""
    if job.stage.name == "unlearn":
        return f"Unlearned by the method `{job.run.method}`, starting from {job.plan.start(job.run).path}."
    if job.stage.name in SUMMARIES:
        return SUMMARIES[job.stage.name]
    return FETCHED if getattr(job.task.config, job.run.method).kind == "hub" else TRAINED[job.run.method]


def _is_wrapped(job: Job) -> bool:
    """Whether the stored weights are not the model without what is around them."""
    return job.stage.name == "unlearn" and job.plan.method_settings(job.run).wrapper.stays


def _made_from_scratch(job: Job) -> str:
    """Return what such a model knows; general items are a setting of TOFU's data only."""
    return SCRATCH + (GENERAL if getattr(job.task.data, "learn_general", False) else "")
