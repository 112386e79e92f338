"""Bad input is refused before any job starts, with file, key and remedy, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.core.errors import BlurError
from blur.owner.own_graph import init
from blur.planner.inputs import read_inputs
from tests.config import test_own as own
from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow
CI, BENCHMARK = "config/scales/ci.yaml", "config/benchmarks/tofu.yaml"


@dataclass(frozen=True)
class Fault:
    """A wrong piece of a file, and what the message must say."""

    name: str
    path: str
    old: str
    new: str
    expected: tuple[str, ...]


GAMMA = "combine: {name: bilevel, gamma: 1.0}\nvariants"
FAULTS = [
    Fault("unknown key", CI, "title: ci", "titel: ci", (CI, "titel", "Did you mean 'title'")),
    Fault("wrong type", CI, "\n  epochs: 3\n", "\n  epochs: three\n", (CI, "epochs", "three")),
    Fault("unknown method", CI, "simnpo,", "simnop,", ("simnop", "Did you mean 'simnpo'")),
    Fault("unknown variant", CI, "[gamma4,", "[gama4,", (CI, "blur_npo.yaml", "gama4", "Did you mean 'gamma4'")),
    Fault("missing file", "config/tasks/tofu.yaml", "benchmark: tofu", "benchmark: tofoo", ("tofoo.yaml", "'tofu'")),
    Fault("unknown metric", BENCHMARK, "metric: privleak", "metric: privleek", ("privleek", "did you mean 'privleak'")),
    Fault("broken YAML", "config/methods/npo.yaml", "retain: []", "retain: [", ("config/methods/npo.yaml, line",)),
    Fault("unknown loss", "config/methods/ga_klr.yaml", "loss: kl}", "loss: lk}", ("ga_klr.yaml", "'lk'", "'kl'")),
    Fault(
        "unknown hyper-parameter",
        "config/methods/blur_npo.yaml",
        GAMMA,
        GAMMA.replace("gamma", "gama"),
        ("config/methods/blur_npo.yaml", "gama", "gamma"),
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_configuration_fault_is_named_before_any_job(finished: Workspace, fault: Fault) -> None:
    with finished.changed(fault.path, fault.old, fault.new):
        done = finished.snakemake("all", check=False)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    for part in fault.expected:
        assert part in output
    assert "Traceback" not in output
    assert "rule unlearn" not in output


def test_a_model_that_is_none_is_refused_in_the_words_of_the_check(tmp_path: Path, monkeypatch) -> None:
    model, work, texts = tmp_path / "my-llama", tmp_path / "work", own.write_texts(tmp_path / "texts")
    forget = Path(str(texts["forget"]))
    forget.write_text(forget.read_text().replace("Frage;Antwort", "question;answer"))
    own.write_model(model, own.CHAT)
    init(work, str(model), texts)
    config = (model / "config.json").read_text()
    (model / "config.json").write_text(config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    monkeypatch.chdir(work)
    with pytest.raises(BlurError, match=r"my-llama: the weights lack model\.layers\.2") as told:
        read_inputs(Plan(), "mine")
    done = Workspace(work).forked("all", "-n", check=False)
    assert done.returncode != 0
    assert str(told.value) in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_unknown_scale_and_task(finished: Workspace) -> None:
    done = finished.forked("all", "-n", "--config", "scale=smal", check=False)
    assert done.returncode != 0
    assert "Did you mean 'small'" in done.stdout + done.stderr
    done = finished.forked("all", "-n", "--config", "scale=ci", "task=tofo", check=False)
    assert "Did you mean 'tofu'" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("scal=ci", "--config: unknown key 'scal'. Did you mean 'scale'?"),
        ("workers=wram", "--config: key 'workers': should be 'warm' or 'cold', got 'wram'"),
        ("scale=../x", "--config: '../x' can be no scale's name"),
        ("tracking=of", "--config: key 'tracking': should be 'disabled', 'offline' or 'online', got 'of'"),
    ],
)
def test_what_is_typed_with_config_is_told_in_our_words(finished: Workspace, typed: str, said: str) -> None:
    done = finished.forked("all", "-n", "--config", typed, check=False)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_command_typed_with_a_wrong_method_ends_with_one_line(finished: Workspace) -> None:
    command = ("blur", "unlearn", "--scale", "ci", "--task", "tofu", "--method", "blur_nop")
    done = finished.run(*command, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("blur: error: config/methods: no method 'blur_nop'. Did you mean 'blur_npo'?")
