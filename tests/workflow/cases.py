"""Changes a person makes, each with exactly the jobs that it must plan at the `ci` scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.workflow.conftest import Workspace

DEFAULTS = ["graddiff", "ga_klr", "npo", "npo_gdr", "simnpo", "blur_npo"]
RUNS = {
    "tofu": [f"{method}/default" for method in DEFAULTS]
    + [
        "graddiff/lambda10",
        "blur_npo/gamma4",
        "blur_npo/reversed",
        "blur_npo/lora",
        "npo_gdr/lambda4",
        "npo_gdr/matched",
    ],
    "muse_news": ["graddiff/default", "npo_gdr/default", "blur_npo/default", "npo_gdr/scal2", "npo_gdr/sust2"],
    "wmdp": ["rmu/default", "blur_npo/default", "blur_rmu/default"],
    "rtt": ["blur_npo/default"],
}
ATTACKS = {"tofu": ["relearn", "quantization", "prompts", "parts"], "rtt": ["rtt"]}
ATTACKED = {"tofu": "blur_npo/lora", "rtt": "blur_npo/default"}
ALL_RUNS = [f"{task}/{run}" for task, runs in RUNS.items() for run in runs]
REFERENCES = ["target/default", "retrained/default"]
PER_STEP = {"tradeoff", "alignment", "cosine_npo", "geometry", "trajectories", "ablation", "claims"}
FIGURES = {
    "tofu": PER_STEP | {"front", "hierarchy", "promise", "survives", "relearning", "quantization"},
    "muse_news": PER_STEP | {"front", "hierarchy", "requests"},
    "wmdp": PER_STEP - {"cosine_npo"},  # which shows NPO-GDR, and there is none on this task here
    "rtt": {"tradeoff", "alignment", "trajectories", "survives", "retraining", "claims"},
}


def measured(task: str, *runs: str) -> set[str]:
    """Evaluation and metrics of a task's runs."""
    return {f"{rule} {task}/{run}/seed0" for run in runs for rule in ("evaluate", "metrics")}


def unlearned(task: str, *runs: str) -> set[str]:
    """Unlearning of a task's runs, and what is measured of them."""
    return {f"unlearn {task}/{run}/seed0" for run in runs} | measured(task, *runs)


def attacked(task: str, *runs: str, rules: tuple[str, ...] = ("attack", "attack_metrics")) -> set[str]:
    """Attacks on a task's runs, what came back, and what is made of it."""
    jobs = {f"{rule} {task}/{run}/{attack}/seed0" for rule in rules for run in runs for attack in ATTACKS[task]}
    return jobs | survived(task, *ATTACKS[task])


def only(task: str, attack: str) -> set[str]:
    """One attack on every attacked model of a task, and what is made of it."""
    runs, rules = (*REFERENCES, ATTACKED[task]), ("attack", "attack_metrics")
    return {f"{rule} {task}/{run}/{attack}/seed0" for rule in rules for run in runs} | survived(task, attack)


def survived(task: str, *attacks: str) -> set[str]:
    """Figures and the table that read attacks of a task."""
    figures = {"relearn": ["relearning"], "quantization": ["quantization"], "rtt": ["retraining", "claims"]}
    named = {"survives", *(figure for attack in attacks for figure in figures.get(attack, []))}
    return {f"figure_{name} {task}" for name in named} | {f"robustness {task}"}


def drawn(task: str, *figures: str) -> set[str]:
    """Figures of a task by name, and its table; those that read every method without being named."""
    always = {"tradeoff", "trajectories", "claims"}
    return {f"figure_{name} {task}" for name in always | set(figures)} | {f"table {task}"}


def all_metrics(*tasks: str) -> set[str]:
    """The metrics of every model of some tasks, and all that is drawn from them."""
    models = {f"metrics {task}/{run}/seed0" for task in tasks for run in (*REFERENCES, *RUNS[task])}
    return models | {job for task in tasks for job in drawn(task, *FIGURES[task])}


def everything(task: str) -> set[str]:
    """Every job of a task without requests."""
    made = {
        "data",
        "base",
        "reference_sums {}/target/default/seed0",
        "train {}/target/seed0",
        "train {}/retrained/seed0",
    }
    return (
        {job.format(task) if "{}" in job else f"{job} {task}" for job in made}
        | unlearned(task, *RUNS[task])
        | measured(task, *REFERENCES)
        | drawn(task, *FIGURES[task])
    )


OF_BLUR = ("alignment", "geometry", "front", "ablation", "hierarchy", "promise")
MATCHED = {"matched_lambda tofu/blur_npo/default/seed0"}
OF_NPO = {
    task: [run for run in runs if run.split("/")[0] in ("npo", "npo_gdr", "blur_npo")] for task, runs in RUNS.items()
}


@dataclass(frozen=True)
class Case:
    """A change, and the jobs it must plan."""

    name: str
    change: Callable[[Workspace], AbstractContextManager[None]]
    jobs: set[str]


def edit(path: str, old: str, new: str) -> Callable[[Workspace], AbstractContextManager[None]]:
    """A change of one piece of a file."""
    return lambda workspace: workspace.changed(path, old, new)


def together(*changes: Callable[[Workspace], AbstractContextManager[None]]) -> Callable[..., Any]:
    """Several changes at once."""

    @contextmanager
    def change(workspace: Workspace) -> Iterator[None]:
        with ExitStack() as stack:
            for one in changes:
                stack.enter_context(one(workspace))
            yield

    return change


SIMNPO = "config/methods/simnpo.yaml"
CASES = [
    Case(
        "a value in one method's YAML",
        edit("config/methods/ga_klr.yaml", "lam: 1.0", "lam: 2.0"),
        unlearned("tofu", "ga_klr/default") | drawn("tofu"),
    ),
    Case(
        "a value of one method on one task",
        edit("config/tasks/tofu.yaml", "blur_npo: {optimizer: {lr: 1.0e-3}}", "blur_npo: {combine: {gamma: 1.5}}"),
        unlearned("tofu", "blur_npo/default", "blur_npo/lora", "npo_gdr/matched")
        | attacked("tofu", "blur_npo/lora")
        | MATCHED
        | drawn("tofu", *OF_BLUR),
    ),
    Case(
        "a method that a sequence of requests is run with",
        edit(
            "config/methods/npo_gdr.yaml", "combine: {name: weighted, lam: 1.0}", "combine: {name: weighted, lam: 1.5}"
        ),
        {job for task in ("tofu", "muse_news") for job in unlearned(task, "npo_gdr/default")}
        | unlearned("tofu", "npo_gdr/matched")
        | unlearned("muse_news", "npo_gdr/scal2", "npo_gdr/sust2")
        | {"reference_sums muse_news/npo_gdr/default/sust2/seed0"}
        | {job for task in ("tofu", "muse_news") for job in drawn(task, "cosine_npo", "front", "hierarchy")}
        | drawn("tofu", "promise")
        | drawn("muse_news", "requests"),
    ),
    Case(
        "two values of one method swapped",
        edit(
            SIMNPO,
            "beta: 4.5, delta: 0.0}}]\n  retain: [{stream: retain, loss: nll}]\n  combine: {name: weighted, lam: 8.0",
            "beta: 8.0, delta: 0.0}}]\n  retain: [{stream: retain, loss: nll}]\n  combine: {name: weighted, lam: 4.5",
        ),
        unlearned("tofu", "simnpo/default") | drawn("tofu"),
    ),
    Case("keys of one method reordered", edit(SIMNPO, "beta: 4.5, delta: 0.0", "delta: 0.0, beta: 4.5"), set()),
    Case(
        "one loss's source file",
        edit("src/blur/unlearn/losses/rmu.py", "\nclass Loss(", "\nADDED = 1\n\n\nclass Loss("),
        unlearned("wmdp", "rmu/default", "blur_rmu/default") | drawn("wmdp", "alignment", "geometry"),
    ),
    Case(
        "a loss that several methods share",
        edit("src/blur/unlearn/losses/npo.py", "return logsigmoid(", "return 1.0 * logsigmoid("),
        {job for task, runs in OF_NPO.items() for job in unlearned(task, *runs)}
        | {job for task, run in ATTACKED.items() for job in attacked(task, run)}
        | MATCHED
        | {"reference_sums muse_news/npo_gdr/default/sust2/seed0"}
        | {job for task in RUNS for job in drawn(task, *FIGURES[task] - ({"geometry"} if task == "wmdp" else set()))},
    ),
    Case(
        "one metric's file",
        edit("src/blur/metrics/kinds/accuracy.py", "\nclass Metric(", "\nADDED = 1\n\n\nclass Metric("),
        all_metrics("wmdp", "rtt") | attacked("rtt", *REFERENCES, *RUNS["rtt"], rules=("attack_metrics",)),
    ),
    Case(
        "one attack's settings",
        edit("config/attacks/prompts.yaml", "k: 8", "k: 4"),
        only("tofu", "prompts"),
    ),
    Case(
        "one attack's source file",
        edit("src/blur/attacks/kinds/parts.py", "\nclass Attack(", "\nADDED = 1\n\n\nclass Attack("),
        only("tofu", "parts"),
    ),
    Case(
        "one figure's file",
        edit("src/blur/report/figures/tradeoff.py", "\nclass Figure(", "\nADDED = 1\n\n\nclass Figure("),
        {f"figure_tradeoff {task}" for task in RUNS},
    ),
    Case(
        "the form of a multiple-choice question",
        edit("config/lm_eval/choice_text.yaml", "Answer:", "Reply:"),
        {job for task in ("wmdp", "rtt") for job in measured(task, *REFERENCES, *RUNS[task])}
        | {job for task in ("wmdp", "rtt") for job in drawn(task, *FIGURES[task])}
        | attacked("rtt", *REFERENCES, *RUNS["rtt"]),
    ),
    Case(
        "a comment and a docstring",
        edit("src/blur/unlearn/loop.py", '"""Train ``model`` in place.', '"""Train it.  # other words'),
        set(),
    ),
    Case(
        "an error's wording and a card's",
        together(
            edit("src/blur/stages/unlearn.py", "there are no records to forget", "nothing is to be forgotten"),
            edit("src/blur/measure/harness.py", "Add examples of that topic or lower", "Give more examples, or lower"),
            edit("src/blur/stages/card.py", "Made for research on unlearning.", "Made to study unlearning."),
        ),
        set(),
    ),
    Case(
        "the data split",
        edit("config/tasks/tofu.yaml", "split: forget10", "split: forget05"),
        everything("tofu") | MATCHED | attacked("tofu", *REFERENCES, ATTACKED["tofu"]),
    ),
]
