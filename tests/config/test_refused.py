"""What is wrong in any file is refused before any job: no traceback, file and key named. What is right is accepted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.plan import Plan
from blur.core.errors import BlurError
from tests.config.refusals import DELETED, changed, copy_config, look, read_once, rewritten

__all__ = ["read_once"]  # a fixture
INF, NAN = math.inf, math.nan
CI, TASK, BENCH = "scales/ci.yaml", "tasks/tofu.yaml", "benchmarks/tofu.yaml"
FIGURES = "figures.yaml"
NPO, MODEL, RELEARN = "methods/blur_npo.yaml", "models/llama-tiny.yaml", "attacks/relearn.yaml"
QUANTIZE, PROMPTS = "attacks/quantization.yaml", "attacks/prompts.yaml"

NUMBERS: list[tuple[str, str, Any]] = [
    *((CI, "unlearn/optimizer/lr", value) for value in (INF, NAN, -1.0, 0, True, 1e9, "fast", [1e-3], None)),
    *((CI, "unlearn/optimizer/weight_decay", value) for value in (INF, -0.1, False)),
    *((CI, "unlearn/batch_size", value) for value in (0, -4, True, 2.5, 10**30, INF)),
    *((CI, "unlearn/epochs", value) for value in (0, True, NAN)),
    *((CI, "unlearn/max_grad_norm", value) for value in (0, -1, INF)),
    *((CI, "unlearn/log_gradients", value) for value in (1, "maybe", 0.0)),
    *((CI, "unlearn/schedule/warmup", {"ratio": value}) for value in (2, -0.5, NAN)),
    *((CI, "runs/0/seeds", [value]) for value in (-1, True, 2**40, 0.5)),
    (CI, "runs/0/seeds", []),
    (CI, "tasks/tofu/data/source/num_authors", -3),
    *((TASK, "data/source/num_holdout_authors", value) for value in (True, INF, -2)),
    *((TASK, "data/source/seed", value) for value in (-1, True, 2**70)),
    (TASK, "data/learn_general", 1),
    *((NPO, "settings/combine/gamma", value) for value in (-1, INF, NAN, True, [1], "one")),
    *((NPO, "settings/forget/0/loss/beta", value) for value in (0, -0.1, INF, True)),
    *((NPO, "variants/gamma2/combine/gamma", value) for value in (-2, INF, True)),
    *(("methods/graddiff.yaml", "settings/combine/lam", value) for value in (-1, NAN, True)),
    *(("methods/rmu.yaml", "settings/forget/0/loss/coefficient", value) for value in (0, INF, True)),
    *(("methods/sure_graddiff.yaml", "settings/scope/percentile", value) for value in (0, 101, NAN)),
    *((NPO, "variants/lora/wrapper/rank", value) for value in (0, True, 100_000)),
    *((NPO, "variants/lora/wrapper/dropout", value) for value in (1, -0.1, INF)),
    *((NPO, "variants/lora/optimizer/betas", [0.9, value]) for value in (1, -1, NAN)),
    *((BENCH, "metrics/18/k", value) for value in (NAN, 0, 1.5, True)),
    *((BENCH, "metrics/30/n", value) for value in (0, True, 2.5)),
    *((BENCH, "metrics/15/of", value) for value in ([], ["forget_qualitty"], "retain_rouge")),
    *((BENCH, "measure/generation/0/max_new_tokens", value) for value in (0, True, INF)),
    *((BENCH, "measure/generation/0/temperature", value) for value in (NAN, -1, True)),
    *((BENCH, "measure/likelihood/0/limit", value) for value in (0, True, -1)),
    *((BENCH, "attacks/quantization/chance", value) for value in (NAN, 2, True)),
    *((BENCH, "table/chance", {"model_utility": value}) for value in (NAN, True, "half")),
    *((BENCH, "figures/cosine_npo/options/lam", value) for value in (NAN, -1, True)),
    *((RELEARN, "settings/at", value) for value in ([0], [True], [INF], [])),
    *((RELEARN, "settings/arms/forget_half/fraction", value) for value in (0, 1.5, NAN, True)),
    *((QUANTIZE, "settings/arms/int4_group/bits", value) for value in (1, 9, True)),
    *((PROMPTS, "settings/arms/samples/temperature", value) for value in (0, INF, True)),
    *((PROMPTS, "settings/arms/prefix/share", value) for value in (0, 1, NAN)),
    *((MODEL, "model/architecture/num_attention_heads", value) for value in (3, 0, True, NAN)),
    *((MODEL, "model/architecture/num_key_value_heads", value) for value in (3, -1, 2.0)),
    *((MODEL, "model/architecture/hidden_size", value) for value in (INF, -64, 10**12)),
    *(("resources.yaml", "sizes/small/train/memory_gb", value) for value in (INF, 0, True)),
    *(("planner.yaml", "assumptions/fragmentation", value) for value in (1, NAN, True)),
]
SETS: list[tuple[str, str, Any]] = [
    *((BENCH, f"training/{stream}", []) for stream in ("forget", "retain", "target", "retrained")),
    (BENCH, "training/forget", {}),
    (BENCH, "training/forget", {"a": []}),
    (NPO, "settings/forget", []),
    (NPO, "variants/lora/forget", []),
]
# A method that no run of scale ci uses, and names of its axes, each typed in a mapping.
UNUSED = "methods/blur_npo_kl.yaml"
AXES = [
    ("settings/forget/0/loss", "npoo", "npo"),
    ("settings/retain/0/loss", "klr", "kl"),
    ("settings/combine", "bilevl", "bilevel"),
    ("settings/optimizer", "adam", "adamw"),
    ("settings/scope", "al", "all"),
    ("settings/wrapper", "lorra", "lora"),
]
# What is typed in place of a name, and the name that is meant.
NAMES: list[tuple[str, str, Any, str]] = [
    (NPO, "settings/forget/0/stream", "forgett", "forget"),
    (NPO, "settings/retain/0/stream", "retian", "retain"),
    (CI, "train/retain", [{"loss": "nll", "stream": "forget"}], "retain"),
    (BENCH, "measure/likelihood/0/set", "eval_forge", "eval_forget"),
    (BENCH, "measure/generation/1/set", "eval_retian", "eval_retain"),
    (BENCH, "measure/gradnorm/0/set", "eval_forgets", "eval_forget"),
    (BENCH, "epochs/likelihood/0/set", "eval_forge", "eval_forget"),
    (TASK, "measure", {"likelihood": [{"set": "holdot"}]}, "holdout"),
    (BENCH, "training/forget", ["forge"], "forget"),
    (BENCH, "training/retain/1", "generl", "general"),
    (BENCH, "training/target/0", "forgt", "forget"),
    (BENCH, "training/retrained/0", "retan", "retain"),
    (BENCH, "requests/sust1/forget", ["request1"], "request_1"),
    (BENCH, "requests/sust2/forget", ["requst_2"], "request_2"),
    (BENCH, "requests/sust2/after", "sust", "sust1"),
    (BENCH, "sequence/variants/0", "sust9", "sust1"),
    (BENCH, "sequence/metrics/0", "request_1_probabilty", "request_1_probability"),
    (BENCH, "judged_by/utility", "model_utlity", "model_utility"),
    (BENCH, "judged_by/unseen", "holdout_probabilty", "holdout_probability"),
    (BENCH, "metrics/0/metric", "forget_qualitty", "forget_quality"),
    (BENCH, "metrics/1/set", "eval_forge", "eval_forget"),
    (BENCH, "metrics/18/members", "eval_forgets", "eval_forget"),
    (BENCH, "attacks/relearn/settings/data/forget", ["forgt"], "forget"),
    (BENCH, "attacks/quantization/settings/calibration", ["retan"], "retain"),
    (BENCH, "attacks/prompts/settings/questions", "eval_forge", "eval_forget"),
    (BENCH, "attacks/prompts/metrics/0", "forget_rogue", "forget_rouge"),
    (BENCH, "figures/trajectories/options", {"metrics": ["forget_probabilty"]}, "forget_probability"),
    (BENCH, "figures/trajectories/options", {"metric": ["forget_probability"]}, "metrics"),
    (BENCH, "figures/tradeoff/options/utilty", "model_utility", "utility"),
    (BENCH, "figures/tradeoff/options/line", "gradiff", "graddiff"),
    (BENCH, "figures/front/options/forget", "forget_probabilty", "forget_probability"),
    (FIGURES, "figures/front/runs/1/methods", ["blur_nop"], "blur_npo"),
    (FIGURES, "figures/front/runs/1/variants", ["gama*"], "gamma"),
    (BENCH, "figures/geometry/options/variant", "gama2", "gamma2"),
    (BENCH, "figures/ablation/options/parameter", "combine.gama", "combine.gamma"),
    (FIGURES, "figures/hierarchy/options/compare/1", "blur_npo/revrsed", "blur_npo/reversed"),
    (BENCH, "figures/requests/options/sustainability/0", "sust01", "sust1"),
    (BENCH, "figures/survives/attacks/0", "relern", "relearn"),
    (BENCH, "figures/quantization/options/attack", "quantisation", "quantization"),
    (BENCH, "figures/claims/options/pairs", {"blur_nop": "npo_gdr"}, "blur_npo"),
    (BENCH, "figures/claims/options/pairs", {"blur_npo": "npo_gd"}, "npo_gdr"),
    (BENCH, "figures/claims/options/pairs/blur_ga", "gradiff", "graddiff"),
    (BENCH, "figures/claims/options/arms/quantization/0", "int4_tenso", "int4_tensor"),
    (BENCH, "figures/claims/options/arms", {"quantisation": ["int4_tensor"]}, "quantization"),
    (BENCH, "table/columns/0", "forget_qualty", "forget_quality"),
    (BENCH, "table/parts/0", "model_utlity", "model_utility"),
    ("methods/npo_gdr.yaml", "variants/matched/combine/matched/method", "blur_nop", "blur_npo"),
    ("methods/npo_gdr.yaml", "variants/matched_gamma4/combine/matched/variant", "gama4", "gamma4"),
    ("methods/npo_gdr.yaml", "variants/matched/combine/matchd", {"method": "blur_npo"}, "matched"),
    (CI, "derived", {"reference_sum": {}}, "reference_sums"),
    ("figures.yaml", "figures", {"alignmnt": {}}, "alignment"),
    (NPO, "variants/gamma0.5/combine/gama", 1, "gamma"),
    (NPO, "variants/beta0.15/batchsize", 1, "batch_size"),
    ("methods/npo_klr.yaml", "settings/retian", [], "retain"),
    (CI, "variants", {"slow": {"optimiser": {"lr": 1e-5}}}, "optimizer"),
    (TASK, "methods/sure_graddiff/optimizer/rl", 1, "lr"),
    (CI, "runs/0/methods/0", "gradiff", "graddiff"),
    (CI, "runs/2/variants/0", "gama4", "gamma4"),
    (CI, "tasks/tofu/attacked/0/attacks/0", "relern", "relearn"),
    *((UNUSED, key, {"name": name}, meant) for key, name, meant in AXES),
    (BENCH, "measure/harness", [{"name": "mmlu", "task": "mmluu"}], "mmlu"),
    (BENCH, "epochs/harness", [{"name": "wmdp", "task": "wmdp_bioo"}], "wmdp_bio"),
    (TASK, "measure", {"harness": [{"name": "arc", "task": "arc_esay"}]}, "arc_easy"),
]
MISSING: list[tuple[str, str]] = [
    (BENCH, "figures/tradeoff/options/utility"),
    (BENCH, "figures/claims/options/utility"),
    (BENCH, "figures/relearning/options/forget"),
    (BENCH, "measure"),
    (BENCH, "judged_by/utility"),
    (TASK, "data/source/kind"),
    (TASK, "title"),
    (NPO, "settings/forget/0/loss/name"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_config(tmp_path_factory.mktemp("refused"))


def refused(folder: Path, **typed: Any) -> str:
    with pytest.raises(BlurError) as caught:
        look(folder, **typed)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 4000
    return message


def blamed(message: str) -> set[str]:
    """The files that a message names before it says what is wrong: one, or all that make a contradiction."""
    return {place.partition(": ")[0].partition("/config/")[2] for place in message.split(" + ")}


def last(key: str) -> str:
    return [part for part in key.split("/") if not part.isdigit()][-1]


@pytest.mark.parametrize(("file", "key", "value"), [*NUMBERS, *SETS], ids=str)
def test_a_number_out_of_bounds_is_refused(folder: Path, file: str, key: str, value: Any) -> None:
    with changed(folder / file, key, value):
        message = refused(folder)
    assert blamed(message) & {file}
    assert last(key) in message


@pytest.mark.parametrize(("file", "key", "value", "meant"), NAMES, ids=str)
def test_a_name_of_nothing_is_refused_with_the_nearest(
    folder: Path, file: str, key: str, value: Any, meant: str
) -> None:
    with changed(folder / file, key, value):
        message = refused(folder)
    assert blamed(message) == {file}
    assert meant in message


@pytest.mark.parametrize(("file", "key"), MISSING, ids=str)
def test_what_is_missing_is_named_with_the_file_that_lacks_it(folder: Path, file: str, key: str) -> None:
    with changed(folder / file, key, DELETED):
        message = refused(folder)
    assert blamed(message) & {file}
    assert last(key) in message


def bomb(text: str) -> bytes:
    """YAML of thirty lines, each of which names the one before several times."""
    lines = [f"l{number}: &l{number} {text.format(f'l{number - 1}')}" for number in range(1, 30)]
    return "\n".join(["l0: &l0 {a: 1}", *lines]).encode()


YAML: list[tuple[bytes, str]] = [
    (b"title: caf\xe9\n", "not UTF-8"),
    ("title: x\n".encode("utf-16"), "not UTF-8"),
    (b"\xff\xfe\x00", "not UTF-8"),
    (b"title: a\nsource: b\ntitle: c\n", "line 3: not valid YAML (the key 'title' is given twice, in line 1 before)"),
    (b"settings: {lr: 1, lr: 2}\n", "the key 'lr' is given twice"),
    (b"settings:\n  x: 1\n  y: {}\n  x: 2\n", "line 4: not valid YAML (the key 'x' is given twice, in line 2 before)"),
    (b"x: " + b"9" * 5000, "line 1: not valid YAML (Exceeds the limit"),
    (b"title: 0x" + b"f" * 5000, "an integer of 20000 bits"),
    (b"x: 2020-02-30\n", "day is out of range"),
    (b"[\n" * 6000 + b"]" * 6000, "nested more than 100 deep"),
    (b"{a: " * 2000 + b"}" * 2000, "nested more than 100 deep"),
    (b"- " * 3000 + b"a", "nested more than 100 deep"),
    (b"a: &b [*b]\n", "nested more than 100 deep"),
    (bomb("[" + "*{0}, " * 9 + "]"), "line 6: not valid YAML (more than 100000 values, by its aliases)"),
    (bomb("{{a: *{0}, b: *{0}, c: *{0}, d: *{0}}}"), "line 9: not valid YAML (more than 100000 values"),
    (bomb("{{<<: *{0}, b{0}: *{0}, c{0}: *{0}}}"), "line 11: not valid YAML (more than 100000 values"),
    (b"? [1, 2]\n: 3\n", "unhashable key"),
    (b"x: \x00\n", "special characters are not allowed"),
    (b"x: !!python/object:os.system {}\n", "not valid YAML"),
    (b"title: [\n", "not valid YAML"),
    (b"1: a\ntitle: b\n", "unknown key '1'"),
    (b"- a\n", "must be a mapping"),
    (b"", "must be a mapping"),
]


@pytest.mark.parametrize(("content", "said"), YAML, ids=[said for _, said in YAML])
def test_a_file_that_is_no_sound_yaml_is_told_in_a_line(folder: Path, content: bytes, said: str) -> None:
    with rewritten(folder / NPO, content):
        message = refused(folder)
    assert f"/{NPO}" in message
    assert said in message


@pytest.mark.parametrize("kind", ["loop", "dangling", "folder", "absent"])
def test_a_file_that_cannot_be_read_is_named(folder: Path, kind: str) -> None:
    file = folder / "models/other.yaml"
    if kind == "loop":
        file.symlink_to(file)
    elif kind == "dangling":
        file.symlink_to("nowhere.yaml")
    elif kind == "folder":
        file.mkdir()
    try:
        with changed(folder / TASK, "model", "other"), changed(folder / CI, "tasks/tofu/model", "other"):
            assert "models/other.yaml: no such file" in refused(folder)
    finally:
        file.rmdir() if kind == "folder" else file.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"scal": "ci"}, "--config: unknown key 'scal'. Did you mean 'scale'?"),
        ({"scale": "../x"}, "--config: '../x' can be no scale's name"),
        ({"scale": "/etc/passwd"}, "can be no scale's name"),
        ({"scale": "x" * 300}, "can be no scale's name"),
        ({"scale": 3}, "--config: key 'scale'"),
        ({"scale": None}, "--config: key 'scale'"),
        ({"scale": "cii"}, "Did you mean 'ci'"),
        ({"task": "tofuu"}, "Did you mean 'tofu'"),
        ({"task": "../tofu"}, "can be no task's name"),
        ({"workers": "wram"}, "--config: key 'workers': should be 'warm' or 'cold', got 'wram'"),
        ({"workers": True}, "--config: key 'workers'"),
        (
            {"tracking": "offf"},
            "--config: key 'tracking': should be 'disabled', 'offline' or 'online', got 'offf'",
        ),
        ({"tracking": True}, "--config: key 'tracking'"),
        ({"tracking": {"wandbb": "offline"}}, "--config: unknown key 'tracking.wandbb'. Did you mean 'wandb'"),
        ({"tracking": 3}, "--config: key 'tracking': should be a mapping"),
    ],
)
def test_what_is_typed_with_config_is_told_in_a_line(folder: Path, typed: dict[str, Any], said: str) -> None:
    assert said in refused(folder, **typed)


@pytest.mark.parametrize("typed", ["off", "disabled", False])
def test_tracking_can_be_off(folder: Path, typed: Any) -> None:
    assert Plan(folder, {"scale": "ci", "tracking": typed}).main.tracking.wandb == "disabled"


def test_what_the_main_file_says_is_blamed_on_it(folder: Path) -> None:
    with changed(folder / "config.yaml", "workers", "wram"):
        whole = yaml.safe_load((folder / "config.yaml").read_text())  # what Snakemake hands over
        with pytest.raises(BlurError, match=r"config/config.yaml: key 'workers'"):
            Plan(folder, {**whole, "scale": "ci"})


@pytest.mark.parametrize("name", ["Mine", "my-method", "blur npo", "target", "base", "retrained", "x" * 120])
def test_a_method_of_a_name_that_no_path_can_hold_is_refused(folder: Path, name: str) -> None:
    with rewritten(folder / f"methods/{name}.yaml", (folder / NPO).read_bytes()):
        message = refused(folder)
    assert f"methods/{name}.yaml: '{name}' can be no method's name" in message


@pytest.mark.parametrize(
    ("file", "key", "name"),
    [
        (NPO, "variants", "a/b"),
        (NPO, "variants", "../../x"),
        (NPO, "variants", "..hidden"),
        (CI, "variants", "a b"),
        (CI, "tasks", "../tofu"),
        (BENCH, "requests", "sust/5"),
        (BENCH, "figures", "my figure"),
    ],
)
def test_other_names_that_no_path_can_hold_are_refused(folder: Path, file: str, key: str, name: str) -> None:
    content: Any = {"requests": {"forget": ["request_1"]}, "figures": {"module": "alignment"}}.get(key, {})
    values = {**(yaml.safe_load((folder / file).read_text()).get(key) or {}), name: content}
    with changed(folder / file, key, values):
        message = refused(folder)
    assert blamed(message) == {file}
    assert f"{name!r} can be no" in message


def test_a_slash_in_a_methods_name_is_refused(folder: Path) -> None:
    with changed(folder / CI, "runs/0/methods/0", "a/b"):
        assert "ci.yaml: runs: no method 'a/b'" in refused(folder)
