"""Two models' logits at once (WHP as MUSE has it, arXiv 2407.06460; Eldan and Russinovich, arXiv 2310.02238).

    z_u = z - alpha relu(z_tuned - z)

with z the model's logits and z_tuned those of the model tuned on what is to be forgotten: what tuning makes likelier is
made unlikelier. No weight changes: whoever takes the tuned model away has the model from before, and whoever has both
has one that knows it best of all. Every pass is one through each model, with a cache of keys and values of its own.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blur.core.settings import NonNegative
from blur.models.wrappers.base import WrapperBase

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel

FILE = "tuned.safetensors"


class Wrapper(WrapperBase):
    """The tuned model beside the model; an edit (``blur.edits.contrast``) puts it there first."""

    name: Literal["contrast"] = "contrast"
    alpha: NonNegative = 1.0

    @property
    def stays(self) -> bool:
        """Always: the weights are those from before."""
        return True

    def put(self, model: Module, tuned: Module) -> None:
        """Have a model answer with both models' logits."""
        from blur.models.beside import Contrast

        Contrast(model, tuned, self.alpha)

    def finish(self, model: Module, folder: Path | None) -> Module:
        """Save the tuned model's weights, and take it away."""
        from safetensors.torch import save_model

        from blur.models.forward import BESIDE

        contrast: Any
        (contrast,) = getattr(model, BESIDE)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            save_model(contrast.tuned, str(folder / FILE))
        contrast.remove_from(model)
        return model

    def around(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Put the tuned model beside the model again."""
        from safetensors.torch import load_model

        tuned = copy.deepcopy(model)
        load_model(tuned, str(folder / FILE))
        self.put(model, tuned)
        return model
