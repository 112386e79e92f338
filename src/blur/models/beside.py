"""A second model that runs beside one, and lowers the logits that it raises."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache

from blur.models.forward import BESIDE


class Contrast(nn.Module):
    """Runs ``tuned`` on what ``model`` is given, and has that return z - alpha relu(z_tuned - z).

    The tuned model's keys and values are further layers of the model's cache, so that what is done to the cache, rows
    taken out of it for instance, is done to them. It is no module of the model's: its weights are none of that's.
    """

    def __init__(self, model: nn.Module, tuned: nn.Module, alpha: float) -> None:
        super().__init__()
        self.tuned, self.alpha = tuned.requires_grad_(False).eval(), alpha
        self.handle = model.register_forward_hook(self._after, with_kwargs=True)
        setattr(model, BESIDE, (self,))

    def get_output_embeddings(self) -> Any:
        """Return the tuned model's head."""
        return self.tuned.get_output_embeddings()  # type: ignore[operator]

    def remove_from(self, model: nn.Module) -> None:
        """Leave the model as it was."""
        self.handle.remove()
        delattr(model, BESIDE)

    def forward(self, z: Tensor, more: Tensor) -> Tensor:
        """Return z - alpha relu(more - z)."""
        return z - self.alpha * (more - z).relu()

    def _after(self, model: nn.Module, args: tuple[Any, ...], given: dict[str, Any], output: Any) -> Any:
        tuned = self.tuned.to(output.logits.device)
        with torch.no_grad():
            more = tuned(*args, **{**given, "past_key_values": self._own(output.get("past_key_values"))}).logits
        output.logits = self(output.logits, more)
        return output

    def _own(self, cache: DynamicCache | None) -> DynamicCache | None:
        """Return the tuned model's part of a cache, which is there from its first use on."""
        if cache is None:
            return None
        own = DynamicCache(config=self.tuned.config)  # type: ignore[arg-type]
        count = len(own.layers)
        if len(cache.layers) == count:
            cache.layers.extend(own.layers)
        own.layers = cache.layers[count:]
        return own
