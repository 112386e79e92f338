"""What a model's card says of models made from scratch."""

import re
import shutil
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.stages.card import GENERAL, SCRATCH, card
from blur.stages.job import Job

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.mark.parametrize(
    ("scale", "task", "scratch", "general"),
    [
        ("ci", "tofu", True, True),
        *((("ci", task, True, False)) for task in ("muse_news", "muse_books", "wmdp", "rtt")),
        ("medium", "tofu_hub", False, False),
    ],
)
def test_only_tofu_speaks_of_general_items(scale: str, task: str, scratch: bool, general: bool) -> None:
    job = Job(Plan(CONFIG, {"scale": scale}), STAGES["train"], JobName(task, Run(task, "target")), {})
    text = card(job)
    assert (SCRATCH in text, GENERAL in text) == (scratch, general)


def test_a_card_says_nothing_that_no_key_covers(tmp_path: Path) -> None:
    """A title is edited without a rerun, so that a card with a title would keep the old one."""
    config = Path(shutil.copytree(CONFIG, tmp_path / "config"))

    def made() -> str:
        name = JobName("tofu", Run("tofu", "npo_gdr"))
        return card(Job(Plan(config, {"scale": "ci"}), STAGES["unlearn"], name, {}))

    before = made()
    for name in ("tasks/tofu", "methods/npo_gdr", "benchmarks/tofu", "scales/ci"):
        path = config / f"{name}.yaml"
        path.write_text(re.sub(r"^title: .*$", "title: Another", path.read_text(), flags=re.M))
    (config / "models/llama-tiny.yaml").rename(config / "models/renamed.yaml")
    scale = config / "scales/ci.yaml"
    scale.write_text(scale.read_text().replace("model: llama-tiny\n", "model: renamed\n"))
    assert made() == before
