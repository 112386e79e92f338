"""Squared gradient norms of every text of a batch from one backward pass, without the gradients: ghost norms.

A matrix that takes inputs ``x_t`` to outputs with gradient ``b_t`` at the positions t of a text has the gradient
``G = sum_t b_t x_t^T`` there, so that ``||G||^2 = sum_{s,t} <b_s, b_t> <x_s, x_t>``: two Gram matrices of the text's
positions (Goodfellow, arXiv 1510.01799; for sequences Li et al., arXiv 2110.05679, section 4). Where G is smaller than
what it is made of, G is made (Bu et al., arXiv 2205.10683). A row of an embedding is a product with a one-hot vector. A
parameter used more than once, such as an embedding that is the output head too, has the sum of its uses' gradients: the
sum runs over pairs of positions of all uses, cross terms included. (Ghost norms taken layer by layer lose them.)

Two rules serve any architecture. A matrix is met in the function that uses it (``linear``, ``embedding``, ``addmm``),
whatever module calls it. A module that holds vectors only (LayerNorm, every RMSNorm) runs as it is, with a copy of them
for each text. Both rules hand the model its parameters as constants. A use that escapes them therefore gives a
parameter an ordinary gradient, which is looked for: no use is missed silently.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from blur.models.batch import Batch
from blur.models.forward import forward


class UncoveredError(Exception):
    """A parameter is used in a way that no rule knows."""


@dataclass(frozen=True)
class Use:
    """One use of a matrix [n, m] at S positions of B texts: text i's gradient is ``sum_s left[i, s] right[i, s]^T``."""

    left: Tensor  # [B, S, n]; or int64[B, S], each the place of the one in a one-hot vector
    right: Tensor  # [B, S, m]

    @property
    def is_lookup(self) -> bool:
        """Whether ``left`` holds places."""
        return not self.left.is_floating_point()


def ghost_squares(model: nn.Module, batch: Batch) -> Tensor:
    """Return the squared L2 norm of each text's gradient of its mean token NLL, float64[B].

    The gradient is that over all parameters that require one; a parameter that two modules share counts once.

    Raises:
        UncoveredError: a parameter is used in a way that no rule knows.
    """
    with _Recorder(model, batch) as recorder:
        outputs = forward(model, batch, "scored")
    return recorder.squares((outputs.nll_sums / outputs.counts).sum())


def squared_norms(uses: Sequence[Use]) -> Tensor:
    """Return the squared norm of the sum of the uses' gradients of one matrix, float64[B]."""
    if not any(use.is_lookup for use in uses):
        left, right = _joined([use.left for use in uses]), _joined([use.right for use in uses])
        size, n, m = left.shape[1], left.shape[2], right.shape[2]
        if size * (n + m) > n * m:  # the gradients are no larger than what they are made of
            return _squares(left.mT @ right)
    own = [_inner(use, use) for use in uses]
    cross = [2 * _inner(one, other) for one, other in combinations(uses, 2)]
    return torch.stack(own + cross).sum(0)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _inner(one: Use, other: Use) -> Tensor:
    """Return the inner product of two uses' gradients, float64[B]."""
    products = _products(one.left, other.left).double() * (one.right @ other.right.mT)
    return products.sum((1, 2))


def _products(left: Tensor, other: Tensor) -> Tensor:
    """Return the inner products of positions, [B, S, T]."""
    if not left.is_floating_point() and not other.is_floating_point():
        return left[:, :, None] == other[:, None, :]
    if not left.is_floating_point():  # a one-hot vector picks an entry
        return other.gather(2, left[:, None, :].expand(-1, other.shape[1], -1)).mT
    if not other.is_floating_point():
        return _products(other, left).mT
    return left @ other.mT


def _squares(gradients: Tensor) -> Tensor:
    return torch.linalg.vector_norm(gradients.flatten(1), dim=1, dtype=torch.float64).square()


def _packed(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the text of each scored position, and its place among those of its text, int64[N] each."""
    scored = batch.positions("scored")
    return scored.nonzero()[:, 0], scored.cumsum(1)[scored] - 1


class _Bare(nn.Module):
    """A module's own computation, without the hooks and the replaced ``forward`` of its instance."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return type(self.module).forward(self.module, x)


class _Recorder(TorchFunctionMode):
    """Runs a forward pass on constant parameters, and notes each use of them for the backward pass."""

    def __init__(self, model: nn.Module, batch: Batch) -> None:
        super().__init__()
        self.model = model
        self.shape = batch.input_ids.shape  # (B, T)
        self.rows, self.places = _packed(batch)  # of the positions that the output head sees
        self.parameters = {id(one): one for one in model.parameters() if one.requires_grad}
        head = getattr(model, "get_output_embeddings", lambda: None)()
        self.of_head = {id(one) for one in head.parameters()} if head is not None else set()
        self.replaced: list[nn.Module] = []
        self.leaves: list[Tensor] = []  # outputs of what has no gradient below it
        self.copies: list[tuple[nn.Parameter, Tensor]] = []  # vectors, and a copy for each text [B, ...]
        self.pending: Counter[int] = Counter()  # uses of a matrix that the backward pass has not reached
        self.uses: defaultdict[int, list[Use]] = defaultdict(list)
        self.dense: dict[int, Tensor] = {}  # gradients of vectors [B, n]
        self.total = torch.zeros(self.shape[0], dtype=torch.float64, device=batch.input_ids.device)

    def __enter__(self) -> _Recorder:
        for module in self.model.modules():
            vectors = [one for one in module.parameters(recurse=False) if id(one) in self.parameters]
            leaf = next(module.children(), None) is None and "forward" not in vars(module)
            if vectors and leaf and all(one.dim() == 1 for one in vectors):
                module.forward = partial(self._on_copies, module)
                self.replaced.append(module)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for module in self.replaced:
            del module.forward

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        rule = _RULES.get(func)
        if rule is None or not torch.is_grad_enabled():
            return func(*args, **(kwargs or {}))
        return rule(self, *args, **(kwargs or {}))

    def squares(self, loss: Tensor) -> Tensor:
        """Run the backward pass and return each text's sum of squares, float64[B]."""
        own = list(self.parameters.values())
        tracked = [*own, *self.leaves, *(copies for _, copies in self.copies)]
        found = torch.autograd.grad(loss, tracked, allow_unused=True)
        if any(gradient is not None for gradient in found[: len(own)]):
            raise UncoveredError("a parameter is used outside the functions and modules that have a rule")
        for (parameter, _), gradients in zip(self.copies, found[len(own) + len(self.leaves) :], strict=True):
            if gradients is not None:
                self._add(parameter, gradients)
        parts = [_squares(gradients) for gradients in self.dense.values()]
        parts += [squared_norms(uses) for uses in self.uses.values()]  # of which the loss did not reach all
        return sum(parts, self.total).clamp(min=0.0)

    # The rules.

    def _on_copies(self, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """Run a module whose parameters are vectors with a copy of them for each text."""
        if not torch.is_grad_enabled():
            return type(module).forward(module, *args, **kwargs)
        if kwargs or len(args) != 1 or not (self._leads(args[0]) or self._is_flat(args[0])):
            raise UncoveredError(f"{type(module).__name__} is called with more than one input, or mixes texts")
        copies = {}
        for name, one in module.named_parameters(recurse=False):
            copies[f"module.{name}"] = one.detach().expand(self.shape[0], *one.shape).requires_grad_()
            self.copies.append((one, copies[f"module.{name}"]))
        bare, flat = _Bare(module), self._is_flat(args[0])
        x = args[0].unflatten(0, self.shape) if flat else args[0]
        try:
            y = torch.vmap(lambda own, text: functional_call(bare, own, (text,)))(copies, x)
        except (RuntimeError, ValueError) as error:
            raise UncoveredError(f"vmap cannot follow {type(module).__name__}") from error
        return y.flatten(0, 1) if flat else y

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """``x W^T + b``: W's gradient is output by input."""
        y = functional.linear(x, self._constant(weight), self._constant(bias))
        return self._affine(y, x, weight, bias, lambda given, gradient: Use(gradient, given))

    def _addmm(self, bias: Tensor, x: Tensor, weight: Tensor, **scales: Any) -> Tensor:
        """``x W + b`` (GPT-2's ``Conv1D``): W's gradient is input by output."""
        if scales:
            return torch.addmm(bias, x, weight, **scales)
        y = torch.addmm(self._constant(bias), x, self._constant(weight))
        return self._affine(y, x, weight, bias, Use)

    def _affine(
        self, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, use: Callable[[Tensor, Tensor], Use]
    ) -> Tensor:
        own_weight, own_bias = id(weight) in self.parameters, id(bias) in self.parameters
        if not own_weight and not own_bias:
            return y
        split, given = self._split(x, weight), x.detach()
        if own_weight:
            self.pending[id(weight)] += 1

        def note(gradient: Tensor) -> None:
            gradient = split(gradient)
            if own_weight:
                self._note(weight, use(split(given), gradient))
            if own_bias and bias is not None:
                self._add(bias, gradient.sum(1))

        return self._watch(y, note)

    def _embedding(
        self,
        ids: Tensor,
        weight: Tensor,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Tensor:
        """Rows of W. The row ``padding_idx`` gets no gradient."""
        if id(weight) not in self.parameters:
            return functional.embedding(ids, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        if ids.shape == (1, self.shape[1]):  # positions, the same for all texts: each has its own gradient
            ids = ids.expand(self.shape)
        if ids.shape != self.shape or max_norm is not None or scale_grad_by_freq:
            raise UncoveredError(f"an embedding of an input of shape {tuple(ids.shape)}, or one with a norm of its own")
        self.pending[id(weight)] += 1

        def note(gradient: Tensor) -> None:
            if padding_idx is not None:
                gradient = gradient.masked_fill((ids == padding_idx % weight.shape[0])[:, :, None], 0.0)
            self._note(weight, Use(ids, _precise(gradient)))

        return self._watch(functional.embedding(ids, weight.detach()), note)

    # What the rules share.

    def _constant(self, tensor: Any) -> Any:
        return tensor.detach() if id(tensor) in self.parameters else tensor

    def _split(self, x: Tensor, weight: Tensor) -> Callable[[Tensor], Tensor]:
        """Return what takes a tensor with the positions of ``x`` to one with those of each text, [B, S, n]."""
        texts = self.shape[0]
        if self._leads(x) or self._is_flat(x):
            return lambda values: _precise(values).reshape(texts, -1, values.shape[-1])
        if id(weight) not in self.of_head or x.shape[:-1] != (1, len(self.rows)):
            raise UncoveredError(f"the texts' places in an input of shape {tuple(x.shape)} are not known")

        def unpack(values: Tensor) -> Tensor:
            padded = values.new_zeros(texts, int(self.places.max()) + 1, values.shape[-1])
            padded[self.rows, self.places] = values[0]
            return _precise(padded)

        return unpack

    def _leads(self, x: Tensor) -> bool:
        """Whether an input is [B, ..., n], with the texts' T positions in one of the middle dimensions."""
        return x.dim() > 2 and x.shape[0] == self.shape[0] and self.shape[1] in x.shape[1:-1]

    def _is_flat(self, x: Tensor) -> bool:
        """Whether an input is [B T, n]."""
        return x.shape[:-1] == (self.shape.numel(),)

    def _watch(self, y: Tensor, note: Callable[[Tensor], None]) -> Tensor:
        """Let ``note`` see the gradient of ``y``, which gets one in any case."""
        if not y.requires_grad:
            self.leaves.append(y.requires_grad_())
            y = y.clone()
        y.register_hook(note)
        return y

    def _note(self, weight: Tensor, use: Use) -> None:
        """Note a use; the last one frees what was kept of all."""
        key = id(weight)
        self.uses[key].append(use)
        self.pending[key] -= 1
        if not self.pending[key]:
            self.total += squared_norms(self.uses.pop(key))

    def _add(self, parameter: Tensor, gradients: Tensor) -> None:
        key = id(parameter)
        self.dense[key] = self.dense[key] + gradients if key in self.dense else gradients


def _precise(values: Tensor) -> Tensor:
    """Return the values in float32 at least."""
    return values if values.dtype == torch.float64 else values.float()


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.linear: _Recorder._linear,
    functional.embedding: _Recorder._embedding,
    torch.addmm: _Recorder._addmm,
}
