"""What is published under the names that the configuration has: tiny models, and data in the real layouts."""

from __future__ import annotations

from pathlib import Path

from tests.hub.published import models, muse, tofu, wmdp

TOFU_FILES = Path(__file__).resolve().parents[4] / "shared" / "data" / "tofu"  # real rows, where they are at hand
QUESTIONS = 4  # of an author, as scale `rehearsal` has it


def build(root: Path) -> None:
    """Put every repository that scales `paper` and `medium` name into a hub's folder, sized for scale `rehearsal`."""
    tofu.build(root, TOFU_FILES if TOFU_FILES.is_dir() else None, questions=QUESTIONS)
    muse.build(root)
    wmdp.build(root)
    models.build(root)
