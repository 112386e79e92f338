"""Removal of parts: whoever holds the weights can take off what unlearning added. An adapter is such a part.

Merged into the weights it cannot be left out, but whoever has it can subtract it, and is back where unlearning began.
Methods that bring hooks or masks hand them over here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import Point
from blur.attacks.victim import Victim

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel

NONE = "the model has no part that can be taken off"


class Attack(AttackBase):
    """One arm for each kind of part."""

    arms: Mapping[str, Literal["adapter"]]

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Measure the model without the part; target and retrained model, which have none, as they are."""
        victim.progress(0, 1, arm)
        if victim.adapter is None:
            return {"": Point(victim.measure(victim.load().model) if victim.is_reference else None, {"reason": NONE})}
        return {"": Point(victim.measure(without_adapter(victim.load().model, victim.adapter)))}


def without_adapter(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    """Subtract an adapter (peft's directory, LoRA) from the weights it was merged into, in place.

    What is left differs from the weights before merging by one rounding of each.
    """
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    wrapped: Any = PeftModel.from_pretrained(model, str(adapter))
    for module in wrapped.modules():
        if isinstance(module, LoraLayer):
            module.scaling = {name: -value for name, value in module.scaling.items()}
    return wrapped.merge_and_unload().eval()
