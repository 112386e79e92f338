"""What a quantization scheme is: it makes a low-precision model of one in full precision. Imports no torch.

As an attack (Zhang et al., arXiv 2410.16454): an unlearned model that lies close to the original one rounds to the same
codes, and what was unlearned is back.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from blur.core.choice import Choice
from blur.core.errors import ArtifactError, ConfigError
from blur.core.settings import Flag

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from blur.models.encode import Example
    from blur.models.maps import LinearMap

EXTRA = "pip install 'blur-unlearning[quantization]'"


class QuantizerBase(Choice):
    """A scheme. A scheme that quantizes weights only gives back a plain model that holds the rounded weights."""

    def unavailable(self) -> str | None:
        """Return why this machine cannot run the scheme, and the remedy, in one line; None if it can."""
        return None

    def quantize(self, model: PreTrainedModel, calibration: Sequence[Example]) -> PreTrainedModel:
        """Return a new model in evaluation mode, on the device of ``model``, which is left as it is.

        Args:
            calibration: texts, for a scheme that needs activations; others do not look at them.

        Raises:
            ConfigError: the machine cannot run the scheme, or the model has no weight that it quantizes.
            ArtifactError: a weight is not finite.
        """
        if reason := self.unavailable():
            raise ConfigError(reason, where=f"quantizer {self.name}")
        made = copy.deepcopy(model).requires_grad_(False).eval()
        self.convert(made, calibration)
        return made

    def convert(self, model: PreTrainedModel, calibration: Sequence[Example]) -> None:
        """Quantize ``model`` in place."""
        raise NotImplementedError

    def covers(self, model: PreTrainedModel) -> list[LinearMap]:
        """Return the linear maps whose weights are quantized."""
        raise NotImplementedError

    def codes(self, model: PreTrainedModel) -> dict[str, Tensor]:
        """Return the integer code of each weight that is quantized, by parameter name and in the parameter's shape.

        Args:
            model: in full precision.

        Returns:
            int8 or uint8 tensors; nothing where codes depend on calibration texts.
        """
        return {}


class WeightQuantizer(QuantizerBase):
    """A scheme that looks at one weight at a time."""

    include_head: Flag = False

    def encode(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes of a matrix [out, in], and the values that they stand for, both [out, in]."""
        raise NotImplementedError

    def covers(self, model: PreTrainedModel) -> list[LinearMap]:
        """Return all linear maps but, by default, the output head; each expert's matrix is one by itself."""
        from blur.attacks.linears import quantized

        return quantized(model, self.include_head)

    def convert(self, model: PreTrainedModel, calibration: Sequence[Example]) -> None:
        """Replace each weight by the value of its code, rounded to the weight's own type."""
        for one in self.covers(model):
            for matrix in one.stack:
                matrix.copy_(self.encode(matrix)[1])

    def codes(self, model: PreTrainedModel) -> dict[str, Tensor]:
        """Return the code of each weight, in its parameter's shape."""
        from torch import stack

        return {
            one.name: one.stored(stack([self.encode(matrix)[0] for matrix in one.stack])) for one in self.covers(model)
        }


def cannot_import(library: str, distribution: str) -> str | None:
    """Return why ``library`` cannot be imported and what to do about it, in one line; None if it can.

    Args:
        library: module to import.
        distribution: what it is installed as.
    """
    try:
        import_module(library)
    except (ImportError, OSError) as error:
        cause = "is not installed" if isinstance(error, ModuleNotFoundError) else "does not load"
        return f"{distribution} {cause} ({str(error).splitlines()[0]}); {EXTRA}"
    return None


def collision_rate(codes: Mapping[str, Tensor], original: Mapping[str, Tensor]) -> float:
    """Return the fraction of weights, over all tensors jointly, whose code equals the original model's.

    NaN where there are no codes.

    Raises:
        ArtifactError: the two are not codes of one architecture.
    """
    shapes, others = ({name: tuple(tensor.shape) for name, tensor in one.items()} for one in (codes, original))
    if shapes != others:
        odd = sorted(name for name in shapes.keys() | others.keys() if shapes.get(name) != others.get(name))
        raise ArtifactError(
            f"the codes of two models differ in shape or name, {odd[0]!r} first",
            remedy="Compare an unlearned model with the model that it was made from",
        )
    total = sum(tensor.numel() for tensor in codes.values())
    equal = sum(int((tensor == original[name].to(tensor.device)).sum()) for name, tensor in codes.items())
    return equal / total if total else math.nan
