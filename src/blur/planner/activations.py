"""What one forward pass keeps for the backward pass, counted tensor by tensor.

Counted with ``torch.autograd.graph.saved_tensors_hooks`` on Llama, Mistral and Qwen2 of transformers 5 with SDPA (torch
2.13; the tests count again). With R = B x T tokens, e bytes an element, d, f, a (queries), k (keys) the widths, a block
whose weights all move saves

    two norms     2 R (4 d + 4) + 2 R d e     input in float32 with 1/rms; its quotient, for the gain
    their outputs 2 R d e                     inputs of q, k, v and of gate, up
    attention     R (2 a + 2 k) e + 4 R h     q, k, v, output (= input of o), log-sum-exp of h heads; no T x T matrix
    MLP           4 R f e                     gate, silu(gate), up, their product (= input of down)

In float32 the norm's input is the residual stream itself. In a padded batch, SDPA gets a mask: k and v are repeated for
all heads, and each block keeps the mask as numbers, B T^2 e. What is frozen keeps less: a linear layer keeps its input
for its own weight's gradient only, a norm its quotient likewise, and nothing is kept below the first weight that moves.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from blur.planner.architecture import LINEARS, Architecture

NORMS = ("input_layernorm", "post_attention_layernorm")


@dataclass(frozen=True)
class Tokens:
    """Shape of a micro-batch: ``batch`` sequences padded to ``length``; ``scored`` positions reach the output head."""

    batch: int
    length: int
    scored: int
    padded: bool = False

    @property
    def rows(self) -> int:
        """Positions, padding included."""
        return self.batch * self.length

    def times(self, rows: int) -> Tokens:
        """Return the micro-batch with so many rows for each: alternates, as long as the answers, which need padding."""
        return Tokens(self.batch * rows, self.length, self.scored * rows, True) if rows > 1 else self


@dataclass(frozen=True)
class Block:
    """A decoder block: which of its parts move, and whether a gradient goes on below it.

    Attributes:
        trainable: names among the seven linear layers and the two norms.
        element: bytes of an element of the weights and activations.
        rank: of LoRA adapters on the trainable linear layers; 0 where these move themselves.
        below: whether a gradient has to reach the block's input.
    """

    architecture: Architecture
    element: int
    trainable: Set[str]
    below: bool = True
    rank: int = 0

    @property
    def passes_on(self) -> bool:
        """Whether the block's output carries a gradient."""
        return self.below or bool(self.trainable)

    def saved(self, tokens: Tokens) -> int:
        """Return the bytes that the block's forward pass keeps."""
        after = self.below or self._moves(LINEARS[:4], NORMS[:1])
        first, second = self.below or NORMS[0] in self.trainable, after or NORMS[1] in self.trainable
        return (
            self._norm(tokens, self.below, NORMS[0], LINEARS[:3])
            + self._attention(tokens, first or self._moves(LINEARS[:3]))
            + self._norm(tokens, after, NORMS[1], LINEARS[4:6])
            + self._mlp(tokens, second or self._moves(LINEARS[4:6]))
            + self._adapters(tokens)
        )

    def working(self, tokens: Tokens) -> int:
        """Return the bytes that the block's backward pass has in use at once besides what was kept.

        Highest in the MLP: gradients of gate's and up's side, of the product, and of the residual stream.
        """
        return tokens.rows * self.element * (2 * self.architecture.ffn + 2 * self.architecture.hidden)

    def forward_working(self, tokens: Tokens) -> int:
        """Return the bytes a forward pass without gradients has in use at once: the MLP's three, residual and norm."""
        return tokens.rows * self.element * (3 * self.architecture.ffn + 3 * self.architecture.hidden)

    def _moves(self, *groups: tuple[str, ...]) -> bool:
        return any(name in self.trainable for names in groups for name in names)

    def _norm(self, tokens: Tokens, reached: bool, name: str, readers: tuple[str, ...]) -> int:
        d = self.architecture.hidden
        size = (4 * d + 4) * reached + d * self.element * (name in self.trainable)
        if self._moves(readers) and not self._copies:
            size += d * self.element
        return tokens.rows * size

    def _attention(self, tokens: Tokens, reached: bool) -> int:
        a, k = self.architecture.attention, self.architecture.kv
        if not reached:
            return tokens.rows * a * self.element * self._moves(("o_proj",))
        mask = tokens.batch * tokens.length**2 * self.element if tokens.padded else 0
        keys = a if tokens.padded else k
        return tokens.rows * (2 * (a + keys) * self.element + 4 * self.architecture.heads) + mask

    def _mlp(self, tokens: Tokens, reached: bool) -> int:
        parts = 3 * reached + (self._moves(("down_proj",)) and not self._copies)
        return tokens.rows * self.architecture.ffn * self.element * parts

    @property
    def _copies(self) -> bool:
        """LoRA's adapters are float32; beside weights of another type each casts its own copy of its input."""
        return self.rank > 0 and self.element != 4

    def _adapters(self, tokens: Tokens) -> int:
        if not self.rank:
            return 0
        inputs = sum(self.architecture.linear(name)[1] for name in LINEARS if name in self.trainable) * self._copies
        return tokens.rows * 4 * (inputs + self.rank * sum(name in self.trainable for name in LINEARS))


def final_norm(architecture: Architecture, element: int, tokens: Tokens, gain: bool, head: bool) -> int:
    """Return the bytes kept by the last norm and as the output head's input (scored positions only)."""
    d = architecture.hidden
    return tokens.rows * (4 * d + 4 + d * element * gain) + tokens.scored * d * element * head
