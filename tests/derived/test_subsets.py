"""A coreset of the retain texts, and a random subset of the same size, which take a stream's place."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from blur.config.plan import Plan
from blur.config.task import Run
from blur.core.errors import ConfigError
from blur.derived import coreset, random_subset
from blur.derived.coreset import embeddings, medoids
from blur.models.encode import Example
from blur.stages import unlearn
from blur.unlearn.settings import UnlearnSettings
from tests.tiny import build

ROOT = Path(__file__).parents[2]
TEXTS = [Example(f"t{n}", [1 + (n * 7 + k) % 30 for k in range(3 + n % 5)], 1) for n in range(12)]


def test_one_point_of_each_cluster_the_nearest_to_its_mean() -> None:
    """Five groups far apart: whatever the start, each has one point, found here from the groups themselves."""
    rng = np.random.default_rng(3)
    centres = 100 * np.eye(5, 8)
    groups = [centre + rng.normal(size=(9, 8)) for centre in centres]
    points, order = np.concatenate(groups), rng.permutation(45)
    expected = []
    for number, group in enumerate(groups):
        distances = np.linalg.norm(group - group.mean(0), axis=1)
        expected.append(int(np.flatnonzero(order == 9 * number + int(distances.argmin()))[0]))
    assert medoids(points[order], 5, seed=0, iterations=50) == sorted(expected)


def test_fewer_different_points_than_clusters_still_give_as_many_places() -> None:
    points = np.repeat(np.eye(2), 6, axis=0)
    found = medoids(points, 4, seed=0, iterations=10)
    assert len(set(found)) == 4
    assert {place // 6 for place in found} == {0, 1}
    assert medoids(points, 12, seed=0, iterations=10) == list(range(12))


def test_the_farthest_points_are_found_without_a_table_of_all_differences() -> None:
    """[N, K, d] would be 102 MB here, and 50 GB for a quarter of TOFU's retain set under a model of width 2048."""
    points = np.random.default_rng(0).normal(size=(8, 200)).repeat(40, axis=0)
    tracemalloc.start()
    found = medoids(points, 200, seed=0, iterations=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(found)) == 200
    assert peak < 8e6


def test_a_text_is_embedded_as_the_mean_of_its_last_states_whatever_it_is_batched_with() -> None:
    model = build("llama").double()
    model.model.norm = torch.nn.Identity()  # the last layer's output as it leaves it
    found = embeddings(model, TEXTS, batch_size=5)
    for row, text in zip(found, TEXTS, strict=True):
        with torch.no_grad():
            states = model(torch.tensor([text.input_ids]), output_hidden_states=True).hidden_states[-1]
        assert row == pytest.approx(states[0].mean(0).numpy(), abs=1e-9)


def chosen(kind: coreset.Derived | random_subset.Derived, folder: Path) -> list[Example]:
    source = SimpleNamespace(
        load=lambda: SimpleNamespace(model=build("llama")),
        examples=lambda _, stream: TEXTS if stream == "retain" else [],
    )
    folder.mkdir()
    assert kind.make(source, folder) == ["subset.json"]  # type: ignore[arg-type]
    return kind.read(folder)(TEXTS)


def test_both_have_as_many_texts_in_their_order_and_the_same_each_time(tmp_path: Path) -> None:
    kinds = {kind.name: kind for kind in (coreset.Derived(share=0.4), random_subset.Derived(share=0.4))}
    found = {name: chosen(kind, tmp_path / name) for name, kind in kinds.items()}
    for name, kind in kinds.items():
        assert len(found[name]) == round(0.4 * 12)
        assert [TEXTS.index(one) for one in found[name]] == sorted(TEXTS.index(one) for one in found[name])
        assert chosen(kind, tmp_path / f"{name} again") == found[name]
    assert found["coreset"] != found["random_subset"]
    other = chosen(random_subset.Derived(share=0.4, seed=1), tmp_path / "other")
    assert other != found["random_subset"]


def test_the_run_learns_from_the_subset_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "subset.json").write_text(json.dumps(["t3", "t1"]))
    settings = Plan(ROOT / "config", {"scale": "study"}).method_settings(Run("tofu", "npo_gdr_coreset"))
    monkeypatch.setattr(unlearn, "stream_examples", lambda job, loaded, name: list(TEXTS))
    derived = {"coreset": coreset.Derived().read(tmp_path), "reference_sums": {}}
    streams = unlearn._streams(None, None, settings, derived)  # type: ignore[arg-type]
    assert [one.id for one in streams["retain"]] == ["t1", "t3"]
    assert streams["forget"] == TEXTS


def test_the_derived_jobs_are_planned(tmp_path: Path) -> None:
    plan = Plan(ROOT / "config", {"scale": "study"})
    for variant, kind in (("default", "coreset"), ("random", "random_subset")):
        jobs = plan.derived(Run("tofu", "npo_gdr_coreset", variant))
        assert set(jobs) == {"reference_sums", kind}
        assert jobs[kind].run == plan.task("tofu").target


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        ("{forget: coreset}", "'coreset' makes no texts of the stream 'forget'"),
        ("{retain: reference_sums}", "'reference_sums' makes no texts of the stream 'retain'. Name one of coreset"),
        ("{edited: coreset}", "`texts` names the stream 'edited', which no loss reads"),
    ],
)
def test_what_makes_no_texts_of_a_stream_is_refused(tmp_path: Path, texts: str, what: str) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    file = tmp_path / "config/methods/npo_gdr_coreset.yaml"
    text = file.read_text(encoding="utf-8").replace("  texts: {retain: coreset}", f"  texts: {texts}", 1)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        Plan(tmp_path / "config", {"scale": "study"}).method_settings(Run("tofu", "npo_gdr_coreset"))
    assert what in str(error.value)
    assert "npo_gdr_coreset.yaml" in str(error.value)


def test_plain_fine_tuning_reads_its_sets_whole() -> None:
    with pytest.raises(ValueError, match="`texts` is for methods"):
        UnlearnSettings(retain=[{"loss": "nll"}], texts={"retain": "coreset"}, epochs=1)  # type: ignore[list-item]
