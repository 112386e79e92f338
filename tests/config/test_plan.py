"""The plan of the shipped configuration: every file is sound, and settings are merged in the stated order."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from blur.config.check import check
from blur.config.export import DIALECT, MODELS
from blur.config.plan import Plan
from blur.config.sources import require_folders
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError, DataError
from blur.core.files import read_json

ROOT = Path(__file__).resolve().parents[2]
SCALES = sorted(path.stem for path in (ROOT / "config/scales").glob("*.yaml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "config", tmp_path / "config"))


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_and_all_its_tasks_are_sound(scale: str) -> None:
    plan = Plan(ROOT / "config", {"scale": scale})
    for task in plan.scale.tasks:
        check(plan, task)
        assert len(plan.runs(task)) == len(set(plan.runs(task))) > 0


def test_every_method_file_is_sound_in_all_its_variants() -> None:
    """On the first task that `study`, which runs them all, has a method on: its benchmark has what the method reads."""
    plan = Plan(ROOT / "config", {"scale": "study"})
    first = {run.method: task for task in reversed(plan.tasks) for run in plan.runs(task)}
    assert first.keys() == {*plan.methods}
    for method, task in first.items():
        for variant in ("default", *plan.method(method).variants):
            plan.method_settings(Run(task, method, variant, 0))


def test_later_files_win(folder: Path) -> None:
    plan = Plan(folder, {"scale": "small"})
    run = Run("tofu", "blur_npo", "gamma4", 7)
    settings = plan.method_settings(run)
    assert settings.epochs == 10, "from the scale"
    assert settings.combine.model_dump()["gamma"] == 4.0, "from the variant, not the method"
    assert settings.optimizer.lr == 1e-3, "from the task's tuned settings"
    assert settings.seed == 7
    tuned = Plan(folder, {"scale": "tune"}).method_settings(Run("tofu", "blur_npo", "lr1e-4", 0))
    assert tuned.optimizer.lr == 1e-4, "a scale's variant, over the tuned settings"


def test_no_hyper_parameter_leaks_from_one_choice_into_another(folder: Path) -> None:
    settings = Plan(folder, {"scale": "small"}).method_settings(Run("tofu", "blur_npo", "reversed", 0))
    assert settings.combine.model_dump() == {
        "name": "reversed",
        "momentum": "update",
        "gamma": 1.0,
        "one_sided": False,
        "projection": "global",
    }


def test_a_matched_run_waits_for_the_run_it_is_matched_to() -> None:
    plan = Plan(ROOT / "config", {"scale": "small"})
    assert plan.derived(Run("tofu", "npo_gdr", "matched", 2)) == {
        "reference_sums": JobName("tofu", Run("tofu", "target"), "reference_sums", "own"),
        "matched_lambda": JobName("tofu", Run("tofu", "blur_npo", "default", 2), "matched_lambda", "own"),
    }
    assert plan.derived(Run("tofu", "graddiff", "default", 2)) == {}


@pytest.mark.parametrize(
    "source",
    [
        "{method: blur_npo, variant: reversed}",
        "{method: npo}",
        "{method: npo_gdr, variant: matched}",
        "{method: task_vector}",
    ],
)
def test_a_weight_is_matched_to_a_run_that_has_blurs_xi(folder: Path, source: str) -> None:
    """That of `reversed` multiplies the other gradient: its inverse would be the weight."""
    file = folder / "methods/npo_gdr.yaml"
    file.write_text(
        file.read_text().replace(
            "matched: {combine: {matched: {method: blur_npo}}}", f"matched: {{combine: {{matched: {source}}}}}"
        )
    )
    message = r"npo_gdr.yaml: variants.matched.combine.matched: .*a weight is matched to a run of `combine: bilevel`"
    with pytest.raises(ConfigError, match=message):
        Plan(folder, {"scale": "small"}).derived(Run("tofu", "npo_gdr", "matched"))


def test_unknown_names_get_the_nearest_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'small'"):
        Plan(folder, {"scale": "smal"})
    plan = Plan(folder, {"scale": "small"})
    with pytest.raises(ConfigError, match="Did you mean 'blur_npo'"):
        plan.require(Run("tofu", "blur_nop"))
    with pytest.raises(ConfigError, match="Did you mean 'gamma4'"):
        plan.require(Run("tofu", "blur_npo", "gama4"))
    with pytest.raises(ConfigError, match="unknown key 'scal'"):
        Plan(folder, {"scal": "small"})


def test_tuned_settings_of_an_unknown_method_and_an_unknown_figure_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"tofu.yaml: figures: no figure 'tradeof'. Did you mean 'tradeoff'"):
        STAGES["figures"].key(Plan(folder, {"scale": "small"}), JobName("tofu", figure="tradeof"))
    file = folder / "tasks/tofu.yaml"
    file.write_text(file.read_text().replace("  blur_npo:", "  blur_nop:"))
    with pytest.raises(ConfigError, match=r"tofu.yaml: methods: no method 'blur_nop'. Did you mean 'blur_npo'"):
        check(Plan(folder, {"scale": "small"}), "tofu")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "forget: *judges, utility: *utility, sequence",
            "forget: [verbmem, knowmem_f], utility: *utility, sequence",
            "survives.options.forget: no metric 'verbmem'",
        ),
        (
            "columns: [verbmem_f",
            "columns: [verbmen_f",
            "table.columns: no metric 'verbmen_f'. Did you mean 'verbmem_f'",
        ),
        (
            "  alignment: {}",
            "  alignment: {module: relearnin}",
            "figures.alignment.module: no 'relearnin' among .*; did you mean 'relearning'",
        ),
        ("module: muse", "module: records", "muse.yaml: module: no 'records' among .*muse, .*, wmdp"),
        ("module: muse", "module: mus", "muse.yaml: module: no 'mus' among .*; did you mean 'muse'"),
        ("fold_2_probability, fold_3", "fold_2_probabilty, fold_3", "sequence.metrics: no metric 'fold_2_probabilty'"),
    ],
)
def test_what_tables_and_figures_read_has_to_exist(folder: Path, old: str, new: str, message: str) -> None:
    file = folder / "benchmarks/muse.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        check(Plan(folder, {"scale": "small"}), "muse_news")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("{data: {split: forget11}}", r"scales/small.yaml: tasks.tofu.data: key 'split'"),
        ("{data: {source: {num_autors: 40}}}", r"tasks.tofu.data: unknown key 'source.num_autors'"),
        ("{unlearn: {epohs: 1}}", r"tasks.tofu.unlearn: unknown key 'epohs'"),
        ("{methods: {blur_npo: {optimizer: {lr: fast}}}}", r"tasks.tofu.methods.blur_npo: key 'optimizer"),
        ("{methods: {blur_nop: {}}}", r"tasks.tofu.methods: no method 'blur_nop'"),
        ("{attacks: {relern: {at: [5]}}}", r"tasks.tofu.attacks: no attack 'relern'. Did you mean 'relearn'"),
        ("{attacks: {relearn: {optimizer: {lr: fast}}}}", r"tasks.tofu.attacks.relearn: key 'optimizer"),
        (
            "{attacked: [{attacks: [prompts], methods: [ga], seeds: [7]}]}",
            r"tasks.tofu.attacked: tofu/ga/default/seed7",
        ),
    ],
)
def test_what_a_scale_changes_of_a_task_is_blamed_on_the_scale(folder: Path, typed: str, message: str) -> None:
    file = folder / "scales/small.yaml"
    scale = yaml.safe_load(file.read_text())
    scale["tasks"]["tofu"] |= yaml.safe_load(typed)
    file.write_text(yaml.safe_dump(scale))
    with pytest.raises(ConfigError, match=message):
        check(Plan(folder, {"scale": "small"}), "tofu")


def test_a_missing_folder_of_data_or_model_is_named_with_its_key(folder: Path) -> None:
    require_folders(Plan(folder, {"scale": "small"}), "tofu")
    task, model = folder / "tasks/tofu.yaml", folder / "models/llama-1m.yaml"
    original = task.read_text()
    model.write_text("model: {name_or_path: ./absent}\n")
    with pytest.raises(ConfigError, match=r"llama-1m.yaml: model.name_or_path: no folder './absent'"):
        require_folders(Plan(folder, {"scale": "small"}), "tofu")
    model.write_text("model: {name_or_path: of/hub}\n")
    task.write_text(original + "target: {kind: hub, name: /absent}\n")
    with pytest.raises(ConfigError, match=r"tofu.yaml: target.name: no folder '/absent'"):
        require_folders(Plan(folder, {"scale": "small"}), "tofu")
    source = original.index("  source:")
    task.write_text(original[:source] + "  source: {kind: local, path: absent}\n")
    with pytest.raises(DataError, match=r"tofu.yaml: data.source.path: no folder 'absent'"):
        require_folders(Plan(folder, {"scale": "small"}), "tofu")


def test_the_schemas_are_those_of_the_models() -> None:
    for name, model in MODELS.items():
        stored = read_json(ROOT / f"workflow/schemas/{name}.schema.json")
        assert stored == {"$schema": DIALECT, **model.model_json_schema()}, "type `blur schemas`"


def test_planning_imports_no_torch() -> None:
    code = "import sys; from blur.config.stages import STAGES; from blur.config.check import check\n"
    code += "from blur.config.plan import Plan\n"
    code += "p = Plan('config', {'scale': 'small'}); check(p, 'tofu')\n"
    code += "[s.key(p, j) for s in STAGES.values() for j in s.jobs(p, 'tofu')]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_device_that_is_none_is_refused_before_any_job(folder: Path) -> None:
    scale = folder / "scales/ci.yaml"
    scale.write_text(scale.read_text() + "device: gpu\n")
    with pytest.raises(ConfigError, match=r"ci.yaml.*device"):
        Plan(folder, {"scale": "ci"})


def _extend(folder: Path, name: str, text: str) -> Path:
    file = folder / f"scales/{name}.yaml"
    file.write_text(f"title: {name}\n{text}", encoding="utf-8")
    return file


def test_a_scale_that_extends_another_says_what_differs(folder: Path) -> None:
    _extend(folder, "mine", "extends: paper\nunlearn: {epochs: 2}\ntasks: {wmdp_zephyr_7b: {unlearn: {steps: 3}}}\n")
    mine, paper = (Plan(folder, {"scale": scale}) for scale in ("mine", "paper"))
    run = Run("tofu_llama_1b", "blur_npo", "default", 0)
    assert mine.method_settings(run) == paper.method_settings(run).model_copy(update={"epochs": 2})
    assert mine.method_settings(Run("wmdp_zephyr_7b", "rmu", "default", 0)).steps == 3
    assert mine.tasks == paper.tasks
    assert mine.runs("tofu_llama_1b") == paper.runs("tofu_llama_1b")
    assert mine.attacks.settings("tofu_llama_1b", "relearn") == paper.attacks.settings("tofu_llama_1b", "relearn")


def test_a_scale_changes_the_settings_of_models_by_name(folder: Path) -> None:
    _extend(folder, "mine", "extends: paper\nmodels: {llama-2-7b: {dtype: float32, max_length: 99}}\n")
    mine, paper = (Plan(folder, {"scale": scale}) for scale in ("mine", "paper"))
    changed = paper.task("muse_news_llama2_7b").model.model_copy(update={"dtype": "float32", "max_length": 99})
    assert mine.task("muse_news_llama2_7b").model == mine.task("muse_books_iclm_7b").model == changed
    assert mine.task("tofu_llama2_7b_chat").model == paper.task("tofu_llama2_7b_chat").model
    _extend(folder, "mine", "extends: paper\nmodels: {llama-2-7: {dtype: float32}}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: models: no model 'llama-2-7'. Did you mean 'llama-2-7b'"):
        Plan(folder, {"scale": "mine"})


def test_a_fault_in_an_extended_scale_names_the_file_that_has_it(folder: Path) -> None:
    _extend(folder, "below", "extends: ci\nunlearn: {epoks: 2}\n")
    _extend(folder, "mine", "extends: below\nunlearn: {epochs: 3}\n")
    with pytest.raises(ConfigError, match=r"scales/below\.yaml(.|\n)*epoks"):
        check(Plan(folder, {"scale": "mine"}), "tofu")
    _extend(folder, "below", "extends: ci\n")
    _extend(folder, "mine", "extends: below\nunlearn: {epoks: 3}\n")
    with pytest.raises(ConfigError, match=r"scales/mine\.yaml(.|\n)*epoks"):
        check(Plan(folder, {"scale": "mine"}), "tofu")


@pytest.mark.parametrize(
    ("extends", "fault"),
    [
        ("papr", r"mine\.yaml: extends: no scale 'papr'. Did you mean 'paper'"),
        ("mine", r"mine\.yaml: extends: the scale 'mine' extends itself"),
        ("2", r"mine\.yaml: extends: no scale '2'"),
    ],
)
def test_a_scale_that_cannot_be_extended_is_refused(folder: Path, extends: str, fault: str) -> None:
    _extend(folder, "mine", f"extends: {extends}\n")
    with pytest.raises(ConfigError, match=fault):
        Plan(folder, {"scale": "mine"})


@pytest.mark.parametrize(("key", "name"), [("benchmark", "tofu"), ("model", "llama-1m")])
def test_a_file_that_a_task_names_and_that_is_not_there_is_told_with_the_key_that_names_it(
    folder: Path, key: str, name: str
) -> None:
    file = folder / "tasks/tofu.yaml"
    file.write_text(file.read_text().replace(f"{key}: {name}\n", f"{key}: {name}x\n"))
    with pytest.raises(
        ConfigError, match=rf"tasks/tofu\.yaml: {key}: .*/{key}s/{name}x\.yaml: no such file\. Did you mean"
    ):
        Plan(folder, {"scale": "small"}).task("tofu")
