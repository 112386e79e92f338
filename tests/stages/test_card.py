"""What a model's card says of models made from scratch."""

from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.config.task import Run
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
    job = Job(Plan(CONFIG, {"scale": scale}), task, Run(task, "target"), "train", {}, 1)
    text = card(job, "A model.")
    assert (SCRATCH in text, GENERAL in text) == (scratch, general)
