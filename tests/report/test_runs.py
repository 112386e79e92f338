import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from blur.core import manifest
from blur.core.errors import ArtifactError
from blur.report import style, sweeps
from blur.report.runs import Run, by_method, first_of, loss_name, read_runs
from tests.report.made_up import TASK
from tests.report.made_up_attacks import attacked
from tests.report.results_tree import write_run


def test_runs_are_read_with_title_family_steps_and_trajectory(tree: Path, runs: list[Run]) -> None:
    run = next(run for run in runs if (run.method, run.variant, run.seed) == ("blur_npo", "gamma2", 1))
    assert (run.title, run.family, run.combine["gamma"]) == ("BLUR-NPO", "npo", 2.0)
    assert len(run.steps) == 60
    assert [record["epoch"] for record in run.trajectory] == [0, 1, 2, 3, 4, 5]
    assert run.value("model_utility.retain_rouge") == run.about["model_utility"]["details"]["retain_rouge"]


def test_order_of_the_paths_does_not_matter(tree: Path, runs: list[Run]) -> None:
    files = sorted(tree.rglob("metrics.json"), reverse=True)
    assert [attacked(run) for run in read_runs(files)] == runs
    assert [attacked(run) for run in read_runs([file.parent for file in files])] == runs


def test_results_linked_from_a_cache_still_find_their_model(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "results", "blur_npo", "default", 0)
    cached = tmp_path / "cache.json"
    shutil.move(folder / "metrics.json", cached)
    (folder / "metrics.json").symlink_to(cached)
    assert len(read_runs([folder])[0].steps) == 60


def test_a_result_that_is_not_what_its_manifest_says_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "blur_npo", "default", 0)
    manifest.write(folder, "metrics", {"settings": {}, "code": ""}, ["metrics.json"])
    assert len(read_runs([folder])) == 1
    file = folder / "metrics.json"
    file.write_text(file.read_text().replace("0.", "0.9", 1))
    with pytest.raises(ArtifactError, match=r"metrics.json: content differs from the hash in its manifest"):
        read_runs([folder])


def test_a_missing_model_directory_is_an_error_and_not_an_empty_figure(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "blur_npo", "default", 0)
    shutil.rmtree(tmp_path / "models")
    with pytest.raises(ArtifactError, match="no such model directory"):
        _ = read_runs([folder])[0].steps


def test_nan_and_null_are_both_undefined(tmp_path: Path) -> None:
    nan = write_run(tmp_path, "npo", "default", 0, model_utility=float("nan"))
    null = write_run(tmp_path, "npo", "default", 1, model_utility=None)
    assert [run.value("model_utility") for run in read_runs([nan, null])] == [None, None]


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no metrics\.json"):
        read_runs([tmp_path])
    (tmp_path / "metrics.json").write_text(json.dumps({"method": "npo"}))
    with pytest.raises(ArtifactError, match="not a metrics file"):
        read_runs([tmp_path])


def test_the_same_run_twice_is_refused(tmp_path: Path) -> None:
    first = write_run(tmp_path / "one", "npo", "default", 0)
    second = write_run(tmp_path / "two", "npo", "default", 0)
    with pytest.raises(ArtifactError, match="twice"):
        read_runs([first, second])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ([{"stream": "forget", "loss": {"name": "npo", "beta": 0.1}}], "npo"),
        ([{"loss": "ga"}, {"loss": "kl"}], "ga+kl"),
        ([], "none"),
        (None, "none"),
    ],
)
def test_loss_names(value: object, name: str) -> None:
    assert loss_name(value) == name


def test_references_come_first_and_blur_last_in_its_family(runs: list[Run]) -> None:
    names = [method for method, variant in by_method(runs) if variant == "default"]
    assert names[:2] == ["target", "retrained"]
    assert names.index("npo") < names.index("npo_gdr") < names.index("blur_npo") < names.index("simnpo")


def test_the_default_variant_stands_for_its_method_in_any_order(runs: list[Run]) -> None:
    for order in (runs, runs[::-1]):
        found = first_of(order)
        assert {(run.variant, run.seed) for run in found.values()} == {("default", 0)}
    only = [run for run in runs if run.variant == "reversed"]
    assert first_of(only)["blur_npo"].variant == "reversed"


def test_a_sweep_is_told_from_settings_and_never_from_names(runs: list[Run]) -> None:
    named = [replace(run, variant=run.variant.replace("gamma", "x")) for run in runs if run.method == "blur_npo"]
    other = replace(
        named[0],
        variant="gamma9",
        seed=7,
        settings={**named[0].settings, "combine": {"name": "reversed", "gamma": 9.0}},
    )
    found = sweeps.sweep([*named, other], "blur_npo")
    assert {run.combine["gamma"] for run in found} == {0.25, 0.5, 1.0, 2.0, 4.0}
    assert not any(run.is_matched for run in sweeps.sweep(runs, "npo_gdr"))


def test_a_request_with_the_defaults_settings_belongs_to_no_sweep(runs: list[Run]) -> None:
    own = [run for run in runs if run.method == "blur_npo"]
    asked = [replace(run, variant="scal2") for run in own if run.variant == "default"]
    assert sweeps.sweep([*own, *asked], "blur_npo") == sweeps.sweep(own, "blur_npo")
    found = sweeps.of_parameter([*own, *asked], "blur_npo", "combine.gamma")
    assert [(value, run.variant) for value, run in found if run.seed == 0] == [
        (0.25, "gamma0.25"),
        (0.5, "gamma0.5"),
        (1.0, "default"),
        (2.0, "gamma2"),
        (4.0, "gamma4"),
    ]


def test_a_parameter_that_is_no_number_has_no_sweep(runs: list[Run]) -> None:
    assert sweeps.of_parameter(runs, "blur_npo", "combine.name") == []
    assert sweeps.of_parameter(runs, "blur_npo", "combine.gama") == []
    assert sweeps.of_parameter(runs, "unknown", "combine.gamma") == []


def test_pairs_have_the_same_losses(runs: list[Run]) -> None:
    assert set(sweeps.pairs(runs)) == {
        ("blur_ga", "graddiff"),
        ("blur_npo", "npo_gdr"),
        ("blur_npo_kl", "npo_klr"),
        ("blur_simnpo", "simnpo"),
        ("blur_rmu", "rmu"),
    }


def test_every_method_looks_different_and_new_ones_get_a_look(runs: list[Run]) -> None:
    looks = {run.method: style.look(run) for run in runs}
    assert len(set(looks.values())) == len(looks)
    known = next(run for run in runs if run.method == "npo_gdr")
    new = replace(known, method="fancy", family="fancy", settings={**known.settings, "forget": [{"loss": "fancy"}]})
    assert style.look(new).colour == looks["npo_gdr"].colour
    assert style.look(new).marker in style.SPARE_MARKERS
    sophia = replace(known, settings={**known.settings, "optimizer": {"name": "sophia"}})
    assert style.look(sophia) != looks["npo_gdr"]


def test_the_task_is_read(runs: list[Run]) -> None:
    assert {run.task for run in runs} == {TASK}
