"""The linear maps of a model, in whatever way it stores them, and which of them do what.

Three ways of transformers: ``nn.Linear``; GPT-2's ``Conv1D``, whose weight lies as [in, out]; and the experts of a
mixture fused in one parameter of three dimensions, [experts, out, in], or [experts, in, out] where their module says
``is_transposed`` (gpt-oss). What is stored otherwise (Llama 4's or DBRX's experts) is not known here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from transformers.pytorch_utils import Conv1D

from blur.models.hidden import decoder_layers

LAYOUT = "is_transposed"  # on a module of fused experts: transformers.integrations.moe


@dataclass(frozen=True)
class LinearMap:
    """A stored weight: that of a linear layer, or of all experts of a layer at once.

    Attributes:
        path: the module's name in the model.
        key: the parameter's name in the module.
    """

    path: str
    layer: nn.Module
    key: str = "weight"

    @property
    def name(self) -> str:
        """Name of the parameter."""
        return f"{self.path}.{self.key}".lstrip(".")

    @property
    def weight(self) -> Tensor:
        """The weight, as it is stored."""
        return self.layer.get_parameter(self.key).detach()

    @property
    def is_fused(self) -> bool:
        """Whether it holds the experts of a mixture."""
        return self.weight.ndim == 3

    @property
    def is_turned(self) -> bool:
        """Whether inputs come before outputs."""
        return bool(getattr(self.layer, LAYOUT)) if self.is_fused else isinstance(self.layer, Conv1D)

    @property
    def stack(self) -> Tensor:
        """The weight as [1 or experts, out, in], in the same memory."""
        return self.stacked(self.weight)

    def stacked(self, weight: Tensor) -> Tensor:
        """Turn a tensor in the weight's layout into [1 or experts, out, in]."""
        whole = weight if self.is_fused else weight.unsqueeze(0)
        return whole.mT if self.is_turned else whole

    def stored(self, stack: Tensor) -> Tensor:
        """Turn [1 or experts, out, in] into the weight's own layout."""
        whole = stack.mT if self.is_turned else stack
        return whole if self.is_fused else whole.squeeze(0)


def linear_maps(module: nn.Module, prefix: str = "") -> Iterator[LinearMap]:
    """Yield all linear maps in ``module``, in its order; routers and output head included."""
    for path, layer in module.named_modules(prefix=prefix):
        if isinstance(layer, (nn.Linear, Conv1D)):
            yield LinearMap(path, layer)
        elif hasattr(layer, LAYOUT):
            for key, parameter in layer.named_parameters(recurse=False):
                if parameter.ndim == 3:
                    yield LinearMap(path, layer, key)


def adaptable_maps(model: Any) -> list[LinearMap]:
    """Return the linear maps that an adapter can be put on.

    Not the output head, no router, and no layer whose weights are read past it.
    """
    others = {*_routers(model), *bare_layers(model), model.get_output_embeddings()}
    return [one for one in linear_maps(model) if one.layer not in others]


def bare_layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers whose weights are read past their ``forward``: those of state-space mixers (with ``A_log``).

    What is wrapped around such a layer, or watches it, sees nothing on some machines.
    """
    mixers = (layer for layer in model.modules() if "A_log" in dict(layer.named_parameters(recurse=False)))
    return [layer for mixer in mixers for name, layer in mixer.named_children() if name != "in_proj"]


def layer_maps(model: Any, number: int) -> list[LinearMap]:
    """Return the linear maps in a decoder layer."""
    block = decoder_layers(model)[number]
    return list(linear_maps(block, next(path for path, layer in model.named_modules() if layer is block)))


def down_projections(model: Any, number: int) -> list[LinearMap]:
    """Return the linear maps of a decoder layer that lead back to the model's width, of its last part: the MLP's.

    Of a mixture these are the experts' and the shared experts'; of a Mamba, the mixer's ``out_proj``. They are found by
    structure: in the part of the layer with its last such map (all families define attention before the MLP), of each
    group of maps the last one.
    """
    return _last_of_groups(_back_to_width(model, number)[-1])


def attention_outputs(model: Any, number: int) -> list[LinearMap]:
    """Return the output projection of a decoder layer's attention, found as the down-projections are, in another part.

    Empty where the layer has no attention: of a Mamba, say, or of a hybrid's layer with a state-space mixer.
    """
    first, *others = _back_to_width(model, number)
    return [one for one in _last_of_groups(first) if one.layer not in bare_layers(model)] if others else []


def _back_to_width(model: Any, number: int) -> list[list[LinearMap]]:
    """Return the linear maps of a decoder layer that lead back to the model's width, by the layer's parts."""
    block, width = decoder_layers(model)[number], model.config.get_text_config().hidden_size
    parts = {id(layer): part for part in block.children() for layer in part.modules()}
    found: dict[int, list[LinearMap]] = {}
    for one in layer_maps(model, number):
        if one.stack.shape[1] == width:
            found.setdefault(id(parts[id(one.layer)]), []).append(one)
    return list(found.values())


def _last_of_groups(maps: Sequence[LinearMap]) -> list[LinearMap]:
    return list({one.path if one.is_fused else one.path.rpartition(".")[0]: one for one in maps}.values())


def covered_share(model: Any, covered: Collection[str]) -> float:
    """Return the share of a model's matrices, by their elements, that ``covered`` names.

    Vectors (norms, biases), embeddings and the output head do not count, as in published schemes; every other weight
    does, those of routers and of linear maps that nobody recognised included. A head counts where it is covered.
    """
    head = model.get_output_embeddings()
    left_out = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding) or layer is head}
    sizes = {
        name: parameter.numel()
        for name, parameter in model.named_parameters()
        if name in covered or not (id(parameter) in left_out or parameter.ndim < 2 or name.endswith("bias"))
    }
    return sum(size for name, size in sizes.items() if name in covered) / max(1, sum(sizes.values()))


def _routers(model: nn.Module) -> list[nn.Module]:
    """Return the linear layers that choose or weigh experts: beside them, with an output for each of them, or with one.

    Most routers of transformers hold a parameter of their own instead, which is no linear map here.
    """
    found: list[nn.Module] = []
    for block in model.modules():
        experts = {child: _num_experts(child) for child in block.children()}
        if most := max(experts.values(), default=0):
            beside = (one for child, number in experts.items() if not number for one in linear_maps(child))
            found += [one.layer for one in beside if one.stack.shape[1] in (1, most)]
    return found


def _num_experts(layer: nn.Module) -> int:
    """Return the length of the stacks of matrices among a module's own parameters; 0 where it has none."""
    own = () if isinstance(layer, _ConvNd) else layer.parameters(recurse=False)
    return max((len(one) for one in own if one.ndim == 3), default=0)
