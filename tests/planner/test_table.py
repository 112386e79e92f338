"""What ``blur plan`` prints, on this repository's own configuration."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from blur.config import plan as plans
from blur.config.plan import Plan
from blur.core.errors import ConfigError
from blur.measure.settings import MeasureSettings
from blur.planner.catalogue import load_catalogue
from blur.planner.jobs import jobs
from blur.planner.table import show
from blur.planner.workload import measured, sizes_of
from blur.planner.workplace import Workplace, fitting

TOFU = {"scale": "paper", "task": "tofu_llama_1b"}


def test_the_paper_scale_is_planned_without_torch() -> None:
    code = (
        "import sys, blur.planner.table as t; from blur.config.plan import Plan;"
        "print(t.show(Plan('config', {'scale': 'paper'}))); sys.exit('torch' in sys.modules)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "GPU-hours" in made.stdout


def test_a_file_is_read_once_a_task_and_settings_are_resolved_once_a_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What planning costs, on any machine: resolving settings and searching layouts for a job is nearly all of it."""
    calls: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[f"{name} {arguments[0]}" if name == "read" else name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(plans, "read_yaml", counted("read", plans.read_yaml))
    monkeypatch.setattr(Plan, "method_settings", counted("settings", Plan.method_settings))
    catalogue = load_catalogue("config")
    plan = Plan("config", {"scale": "paper"})
    number = len(jobs(plan, catalogue, catalogue.gpu("h100-80g")))
    assert number > 500
    assert max(count for name, count in calls.items() if name.startswith("read")) <= len(plan.tasks)
    assert calls["settings"] <= number


def test_each_method_has_a_row_with_its_terms() -> None:
    text = show(Plan("config", TOFU))
    rows: dict[str, list[str]] = {}
    for words in map(str.split, text.splitlines()):
        rows.setdefault(next(iter(words), ""), words)  # a method's variants follow it
    for method in ("graddiff", "npo_klr", "blur_npo", "blur_rmu"):
        assert rows[method][-2:] == ["1", "GPU"]
    header = rows["GiB"]
    weights, reference = header.index("weights"), header.index("ref")
    assert rows["blur_npo"][weights] == "2.3"
    assert (rows["blur_npo"][reference], rows["npo_klr"][reference]) == ("0", "2.3")


def test_jobs_are_those_of_the_workflow() -> None:
    plan, catalogue = Plan("config", TOFU), load_catalogue("config")
    found = jobs(plan, catalogue, catalogue.gpu("h100-80g"))
    counts = Counter(job.rule for job in found)
    runs, evaluated = plan.runs("tofu_llama_1b"), plan.evaluated("tofu_llama_1b")
    assert (counts["data"], counts["base"], counts["train"], counts["table"]) == (1, 0, 2, 1)
    assert counts["unlearn"] == len(runs)
    assert counts["evaluate"] == counts["metrics"] == len(evaluated)
    assert (
        counts["attack"]
        == counts["attack_metrics"]
        == len(plan.attacks.pairs("tofu_llama_1b"))
        == 3 * (2 + 6) + (2 + 4)
    )
    assert all(job.gpu_hours > 0 for job in found if job.rule == "attack")
    figures = plan.task("tofu_llama_1b").benchmark.figures
    assert counts["figures"] == len({*figures} - {"requests", "selectivity"}) == 13  # neither is run on it
    adapters = 4 * 4 * 5_636_096  # of the LoRA runs, float32
    assert sum(job.disk for job in found) == pytest.approx(len(evaluated) * 2 * 1_235_814_400 + adapters)


@pytest.mark.parametrize(("gpu", "fits"), [("h100-80g", False), ("h200-141g", True)])
def test_relearning_a_7b_model_with_float32_masters_needs_a_large_gpu(gpu: str, fits: bool) -> None:
    plan, catalogue = Plan("config", {"scale": "paper", "task": "tofu_llama2_7b_chat"}), load_catalogue("config")
    attacks = [job for job in jobs(plan, catalogue, catalogue.gpu(gpu)) if job.rule == "attack"]
    pairs = [attack for _, attack in plan.attacks.pairs("tofu_llama2_7b_chat")]
    assert {attack: job.gpus is not None for attack, job in zip(pairs, attacks, strict=True)} == {
        "relearn": fits,
        "quantization": True,
        "prompts": True,
    }


def test_a_smaller_gpu_takes_longer_and_fits_less() -> None:
    plan, catalogue = Plan("config", TOFU), load_catalogue("config")
    place = Workplace.of(plan, catalogue, "tofu_llama_1b")
    run = next(run for run in plan.runs("tofu_llama_1b") if run.method == "blur_npo_kl")
    settings, streams = place.unlearning(run)
    large, small = catalogue.gpu("h100-80g"), catalogue.gpu("rtx4090-24g")
    tiny = small.model_copy(update={"memory_gib": 12.0})
    for gpu, count in ((large, 1), (small, 1), (tiny, 2)):
        layout, _ = fitting(place, settings, streams, gpu)
        assert layout is not None
        assert layout.gpus == count
    assert fitting(place, settings, streams, small.model_copy(update={"memory_gib": 2.0}))[0] is None
    hours = [sum(job.gpu_hours or 0 for job in jobs(plan, catalogue, gpu)) for gpu in (large, small)]
    assert hours[0] < hours[1]


def test_generated_data_are_counted() -> None:
    text = show(Plan("config", {"scale": "ci", "task": "tofu"}))
    assert "MiB" in text
    assert "unlearn" in text


def test_an_unknown_gpu_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no GPU 'h100'.*Did you mean 'h100-80g'"):
        show(Plan("config", TOFU), "h100")


def test_a_field_counts_as_often_as_the_benchmark_says_it_has_texts() -> None:
    """TOFU's questions have one answer and five wrong ones."""
    plan, catalogue = Plan("config", TOFU), load_catalogue("config")
    task = plan.task("tofu_llama_1b")
    sizes = sizes_of(task, catalogue)

    def tokens(field: str) -> float:
        asked = MeasureSettings.model_validate({"likelihood": [{"set": "eval_forget", "fields": [field]}]})
        return measured(task, asked, sizes, catalogue).tokens

    assert tokens("perturbed_answer") == 5 * tokens("answer") > 0
