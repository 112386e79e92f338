"""An orthogonal projector after a module, some of whose directions may learn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """Takes a few directions out of a module's output [..., d].

    Attributes:
        kept: directions that stay as they are, orthonormal, [n, d], float32 at least; no part of a saved model.
        rows: what learns, [k, d], in any scale and at any angle; None where nothing does.
    """

    kept: Tensor

    def __init__(self, module: nn.Module, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept, persistent=False)
        self.rows: nn.Parameter | None = None
        self.handle = module.register_forward_hook(self._after)

    @property
    def basis(self) -> Tensor:
        """An orthonormal basis of all directions, [n + k, d]; gradients reach ``rows`` through it."""
        if self.rows is None:
            return self.kept
        basis: Tensor = torch.linalg.qr(torch.cat([self.kept, self.rows]).T).Q.T
        return basis

    def forward(self, states: Tensor) -> Tensor:
        """Return h - (h Q^T) Q, in the states' type."""
        basis = self.basis
        if not len(basis):
            return states
        return (states - ((states.to(basis.dtype) @ basis.T) @ basis)).to(states.dtype)

    def _after(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        return self(output) if isinstance(output, Tensor) else (self(output[0]), *output[1:])
