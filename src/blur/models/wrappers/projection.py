"""Projections of hidden states (MRP, Wu et al., arXiv 2508.15449): directions of what is to be forgotten are taken out.

    h <- h - (h Q^T) Q,   Q an orthonormal basis of the rows of [W_before ; W]

at the output of chosen decoder layers, at every position, in training and ever after. W [rank, d] learns, through the
basis; the rows of earlier requests stay, and so do all weights of the model. Nothing is kept in those weights: whoever
takes the projections off has the model from before.

Where W starts (``init``): ``contrastive`` takes the principal directions of the forget texts' states outside those that
hold ``energy`` of the retain texts'; ``gen_eig`` those along which the forget texts' second moment is largest over the
retain texts' (ours, no paper's); ``reference`` is the authors' code: those of the retain texts' states outside the span
of the forget texts'. All see states after the layer, padding left out; the code takes those before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.errors import ConfigError
from blur.core.settings import Count, Positive, Share
from blur.models.anatomy import Anatomy, Shape
from blur.models.wrappers.base import WrapperBase

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

    from blur.models.encode import Example

FILE = "projection.safetensors"
PART = "projection"  # the module's name in a decoder layer
NOISE = 1e-8  # share of a second moment below which a direction is rounding


class Wrapper(WrapperBase):
    """Projectors of a low rank after some decoder layers; the base weights are frozen."""

    freezes: ClassVar[bool] = True
    distributed: ClassVar[bool] = False
    name: Literal["projection"] = "projection"
    heights: tuple[Share, ...] = Field(
        (1 / 3, 2 / 3), min_length=1, description="the layers: how much of the model's depth is done after each"
    )
    rank: Count = Field(2, description="directions that a request takes out after a layer, at most")
    init: Literal["contrastive", "gen_eig", "reference"] = "contrastive"
    energy: Share = Field(0.95, description="of the retain texts' states, in the directions that are left alone")
    ridge: Positive = Field(
        1e-3, description="added to the retain texts' second moment for `gen_eig`, over its mean eigenvalue"
    )
    batch_size: Count = Field(16, description="texts a pass at the start; changes sums by rounding only")

    @property
    def stays(self) -> bool:
        """Always: the weights are those from before."""
        return True

    @property
    def passes(self) -> int:
        """One for each layer."""
        return len(self.heights)

    def layers(self, depth: int) -> list[int]:
        """Return the 0-based numbers of the layers in a model of ``depth`` layers, in rising order, each once."""
        return sorted({max(round(height * depth), 1) - 1 for height in self.heights})

    def adds(self, anatomy: Anatomy) -> dict[str, Shape]:
        """Return the rows [rank, d] after each layer."""
        found: dict[str, Shape] = {}
        for layer in self.layers(anatomy.layers):
            width = anatomy.maps[anatomy.down_projections(layer)[0]][1]
            found[f"{anatomy.block(layer)}{PART}.rows"] = (self.rank, width)
        return found

    def wrap(self, model: Module) -> Module:
        """Freeze the weights, and put projectors with the rows of earlier requests in place."""
        from blur.models.hidden import decoder_layers

        model.requires_grad_(False)
        layers = decoder_layers(model)
        for number in self.layers(len(layers)):
            if not hasattr(layers[number], PART):
                _put(layers[number], _width_of(model))
        return model

    def start(self, model: Module, forget: Sequence[Example], retain: Sequence[Example]) -> None:
        """Choose the first rows by the texts' states under the model as it is; a layer without a direction gets none.

        Raises:
            ConfigError: no layer has one.
        """
        from torch.nn import Parameter

        from blur.models.hidden import decoder_layers

        layers = decoder_layers(model)
        chosen = {number: self._rows(model, number, forget, retain) for number in self.layers(len(layers))}
        for number, rows in chosen.items():
            if len(rows):
                part: Any = getattr(layers[number], PART)
                part.rows = Parameter(rows.to(part.kept))
        if not any(map(len, chosen.values())):
            what = "the states of the texts to forget have no direction that is left to take out"
            raise ConfigError(what, f"wrapper.init: {self.init}", "Lower `energy`, or take other `heights`")

    def _rows(self, model: Module, layer: int, forget: Sequence[Example], retain: Sequence[Example]) -> Tensor:
        wanted, spared = (self._second_moment(model, layer, texts) for texts in (forget, retain))
        if self.init == "reference":
            return directions(spared, wanted, 1.0, self.rank)
        if self.init == "gen_eig":
            return generalised(wanted, spared, self.ridge, self.rank)
        return directions(wanted, spared, self.energy, self.rank)

    def _second_moment(self, model: Module, layer: int, texts: Sequence[Example]) -> Tensor:
        """Return the uncentred second moment of a layer's output over all tokens of texts, without alternates."""
        import torch

        from blur.models.batch import collate
        from blur.models.hidden import hidden_states

        width, device = _width_of(model), next(model.parameters()).device
        total = torch.zeros(width, width, dtype=torch.float64, device=device)
        with torch.no_grad():
            for start in range(0, len(texts), self.batch_size):
                batch = collate([text.alone for text in texts[start : start + self.batch_size]], device)
                states = hidden_states(model, batch, "attended", layer).states.double()
                total += states.T @ states
        return total

    def finish(self, model: Module, folder: Path | None) -> Module:
        """Save the basis of each layer, earlier requests' rows included, and take the projectors off."""
        from safetensors.torch import save_file

        bases = {str(number): part.basis.detach().contiguous() for number, part in _parts(model)}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(bases, folder / FILE)
        _take_off(model)
        return model

    def around(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Put the projectors back."""
        from safetensors.torch import load_file

        from blur.models.hidden import decoder_layers

        layers = decoder_layers(model)
        for number, basis in load_file(folder / FILE).items():
            _put(layers[int(number)], basis.shape[1], basis.to(next(model.parameters()).device))
        return model


def directions(wanted: Tensor, spared: Tensor, energy: float, rank: int) -> Tensor:
    """Return the principal directions of a second moment outside those that hold ``energy`` of another one.

    Args:
        wanted, spared: float64[d, d].
        energy: share of the trace of ``spared``; at 1, its whole span, but for rounding.
        rank: of the directions, at most.

    Returns:
        float64[up to rank, d], orthonormal; fewer rows where ``wanted`` has no more outside.
    """
    import torch

    values, vectors = torch.linalg.eigh(spared)
    values, vectors = values.flip(0), vectors.flip(1)
    before = values.cumsum(0) - values  # in the directions before each
    held = vectors[:, (before < energy * values.sum()) & (values > NOISE * values.sum())]
    outside = torch.eye(len(wanted), dtype=wanted.dtype, device=wanted.device) - held @ held.T
    left, found = torch.linalg.eigh(outside @ wanted @ outside)
    chosen = left.flip(0)[:rank] > NOISE * wanted.trace()
    return found.flip(1).T[:rank][chosen]


def generalised(wanted: Tensor, spared: Tensor, ridge: float, rank: int) -> Tensor:
    """Return the directions w with the largest <w, wanted w> / <w, (spared + eps I) w>, generalised eigenvectors.

    Args:
        wanted, spared: second moments, float64[d, d].
        ridge: eps over the mean eigenvalue of ``spared``.
        rank: of the directions, at most.

    Returns:
        float64[up to rank, d], of length 1; fewer rows where ``wanted`` has no more.
    """
    import torch

    unit = torch.eye(len(spared), dtype=spared.dtype, device=spared.device)
    root = torch.linalg.cholesky(spared + ridge * spared.trace() / len(spared) * unit)
    inverse = torch.linalg.solve_triangular(root, unit, upper=False)
    values, vectors = torch.linalg.eigh(inverse @ wanted @ inverse.T)
    chosen = values.flip(0)[:rank] > NOISE * values.max()
    rows = (inverse.T @ vectors).T.flip(0)[:rank][chosen]
    return rows / rows.norm(dim=1, keepdim=True)


def _put(layer: Module, width: int, kept: Tensor | None = None) -> None:
    """Put a projector after a layer, with rows that stay [n, d], orthonormal; none by default."""
    import torch

    from blur.models.projector import Projector

    weight = next(layer.parameters())
    none = torch.zeros(0, width, device=weight.device, dtype=torch.promote_types(weight.dtype, torch.float32))
    layer.add_module(PART, Projector(layer, none if kept is None else kept))


def _parts(model: Module) -> Iterator[tuple[int, Any]]:
    from blur.models.hidden import decoder_layers

    for number, layer in enumerate(decoder_layers(model)):
        if hasattr(layer, PART):
            yield number, getattr(layer, PART)


def _take_off(model: Module) -> None:
    from blur.models.hidden import decoder_layers

    for number, part in list(_parts(model)):
        part.handle.remove()
        delattr(decoder_layers(model)[number], PART)


def _width_of(model: Any) -> int:
    return int(model.config.get_text_config().hidden_size)
