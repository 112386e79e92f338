"""A Llama small enough to count by hand, and jobs on it."""

from typing import Any

from blur.planner.activations import Tokens
from blur.planner.architecture import Architecture
from blur.planner.memory import Job, Layout
from blur.planner.trainable import Trained
from blur.unlearn.settings import UnlearnSettings

# d 8, f 16, 2 layers, 2 heads of 4, 1 key head, 10 words
TINY = Architecture("llama", hidden=8, ffn=16, layers=2, heads=2, kv_heads=1, head_dim=4, vocab=10, tied=False)
# q 64, k 32, v 32, o 64, gate, up, down 128 each, two norms of 8
BLOCK = 64 + 32 + 32 + 64 + 3 * 128 + 16
WHOLE = 2 * BLOCK + 2 * 80 + 8
TOKENS = Tokens(batch=3, length=5, scored=12)


def settings(**changes: Any) -> UnlearnSettings:
    base: dict[str, Any] = {
        "forget": [{"loss": "npo"}],
        "retain": [{"loss": "nll"}],
        "combine": "bilevel",
        "steps": 10,
        "batch_size": 3,
    }
    return UnlearnSettings.model_validate(base | changes)


def trained(element: int = 4, architecture: Architecture = TINY, masters: bool = False, **changes: Any) -> Trained:
    return Trained(architecture, settings(**changes), element, masters)


def job(one: Trained, layout: Layout | None = None, tokens: Tokens = TOKENS, accumulation: int = 1) -> Job:
    return Job(one, {"forget": tokens, "retain": tokens}, accumulation, layout or Layout(device="cpu"))
