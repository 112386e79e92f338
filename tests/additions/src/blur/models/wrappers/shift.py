"""A vector that is added to all embeddings: it stays around the model, whose own weights are those from before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from blur.models.anatomy import Anatomy, Shape
from blur.models.wrappers.base import WrapperBase

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel

FILE = "shift.safetensors"


class Wrapper(WrapperBase):
    """h_0 + s, with s what is trained."""

    freezes: ClassVar[bool] = True
    distributed: ClassVar[bool] = False
    name: Literal["shift"] = "shift"

    @property
    def stays(self) -> bool:
        """Nothing is forgotten without it."""
        return True

    def adds(self, anatomy: Anatomy) -> dict[str, Shape]:
        """Return the vector's shape."""
        return {"model.embed_tokens.shift": anatomy.shapes["model.embed_tokens.weight"][1:]}

    def wrap(self, model: Module) -> Module:
        """Add zeros, at first."""
        import torch

        found: Any = model
        table = found.requires_grad_(False).get_input_embeddings()
        table.shift = torch.nn.Parameter(torch.zeros(table.weight.shape[1]))
        table.shifted = table.register_forward_hook(lambda own, inputs, output: output + own.shift)
        return model

    def finish(self, model: Module, folder: Path | None) -> Module:
        """Keep the vector, and take it off."""
        from safetensors.torch import save_file

        found: Any = model
        table = found.get_input_embeddings()
        if folder is not None:
            folder.mkdir(exist_ok=True)
            save_file({"shift": table.shift.detach()}, folder / FILE)
        table.shifted.remove()
        del table.shift, table.shifted
        return model

    def around(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Add the vector again."""
        from safetensors.torch import load_file

        table: Any = model.get_input_embeddings()
        shift = load_file(folder / FILE)["shift"]
        table.register_forward_hook(lambda own, inputs, output: output + shift.to(output.device))
        return model
