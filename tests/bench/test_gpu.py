"""The GPU's script, rehearsed on the CPU with the arguments it has there; its reader of stories15M; its budget."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from blur.bench import gpu
from blur.bench.budget import Options, Part, SkippedError, Timer
from blur.bench.gpu import Record
from blur.bench.stories import BYTES, Tokenizer, read
from blur.core.errors import ArtifactError

WIDTH, INNER, LAYERS, HEADS, GROUPS, POSITIONS = 16, 24, 2, 2, 1, 512
PIECES = [b"<unk>", b"<s>", b"</s>", *(bytes([byte]) for byte in range(256))]
PIECES += [bytes([byte]) for byte in range(32, 127)] + [b" t", b"he", b" the", b"th"]
SCORES = {b" t": -1.0, b"he": -2.0, b" the": -3.0, b"th": -4.0}


def write(path: Path) -> LlamaForCausalLM:
    """Write a random model as llama2.c does, its pairs of dimensions side by side, and its tokenizer."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "vocab_size": len(PIECES)}
    heads = {"num_attention_heads": HEADS, "num_key_value_heads": GROUPS, "max_position_embeddings": POSITIONS}
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**sizes, **heads, rms_norm_eps=1e-5, tie_word_embeddings=True)).eval()
    for norm in (one for name, one in model.named_parameters() if "norm" in name):
        torch.nn.init.uniform_(norm, 0.5, 1.5)
    state, size = model.state_dict(), WIDTH // HEADS

    def side_by_side(matrix: torch.Tensor) -> torch.Tensor:
        rows = [matrix.reshape(-1, size, WIDTH)[:, [place, place + size // 2]] for place in range(size // 2)]
        return torch.cat(rows, 1).reshape(-1, WIDTH)

    def of_layers(name: str, change: Any = lambda matrix: matrix) -> bytes:
        stack = [change(state[f"model.layers.{layer}.{name}.weight"]) for layer in range(LAYERS)]
        return torch.stack(stack).numpy().astype("<f4").tobytes()

    parts = [
        struct.pack("<7i", WIDTH, INNER, LAYERS, HEADS, GROUPS, len(PIECES), POSITIONS),
        state["model.embed_tokens.weight"].numpy().tobytes(),
        of_layers("input_layernorm"),
        *(of_layers(f"self_attn.{name}_proj", side_by_side) for name in "qk"),
        *(of_layers(f"self_attn.{name}_proj") for name in "vo"),
        of_layers("post_attention_layernorm"),
        *(of_layers(f"mlp.{name}_proj") for name in ("gate", "down", "up")),
        state["model.norm.weight"].numpy().tobytes(),
        np.zeros((2, POSITIONS, size // 2), "<f4").tobytes(),
        struct.pack("<i", max(map(len, PIECES))),
        *(struct.pack("<fi", SCORES.get(piece, -1e3), len(piece)) + piece for piece in PIECES),
    ]
    path.write_bytes(b"".join(parts))
    return model


def test_a_file_of_llama2_c_is_the_model_that_it_was_written_from(tmp_path: Path) -> None:
    written, (model, _) = write(tmp_path / "m"), read(tmp_path / "m")
    ids = torch.arange(3, 40)[None]
    assert torch.equal(model(input_ids=ids).logits, written(input_ids=ids).logits)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "m")
    whole = (tmp_path / "m").read_bytes()
    end = "where the file does"
    for size, said in (
        (4000, "within the weights"),
        (len(whole) - 2, end),
        (len(whole) - 6, end),
        (len(whole) + 3, end),
    ):
        (tmp_path / "m").write_bytes((whole + b"abc")[:size])
        with pytest.raises(ArtifactError, match=said):
            read(tmp_path / "m")


def test_the_best_pair_is_merged_first_and_what_has_no_token_is_bytes() -> None:
    ids = {piece: number for number, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(ids, [SCORES.get(piece, -1e3) for piece in PIECES])
    assert tokenizer.encode("the") == [ids[b" the"]]
    assert tokenizer.encode("xthe") == [ids[b" "], ids[b"x"], ids[b"t"], ids[b"he"]]  # not th, e: `he` is better
    assert tokenizer.encode("é") == [ids[b" "], 0xC3 + BYTES, 0xA9 + BYTES]
    assert ids[b"A"] > 256, "of two that are alike the letter's counts"


def rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *further: str) -> dict[str, Any]:
    write(tmp_path / "stories.bin")
    fixed = ["--device", "cpu", "--shapes", "tiny", "--batch", "2", "--tokens", "24", "--rounds", "2"]
    fixed += ["--authors", "10", "--epochs", "1", "--stories", str(tmp_path / "stories.bin")]
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(tmp_path / "out"), *fixed, *further])
    gpu.main()
    found: dict[str, Any] = json.loads((tmp_path / "out/results.json").read_text())
    return found


def test_the_whole_script_is_rehearsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rehearse(tmp_path, monkeypatch, "--commit", "abc")
    assert (found["card"], found["commit"], found["date"][:2]) == ("CPU", "abc", "20")
    parts = found["parts"]
    assert list(parts) == ["parity", "steps, tiny", "memory, tiny", "4 bits", "stories15M"]
    assert not [name for name, part in parts.items() if "failed" in part], parts
    assert parts["parity"]["distance"] == 0.0
    assert parts["steps, tiny"]["blur_over_weighted"]["ratio"] > 0
    assert all(0.8 < one["ratio"] < 1.25 for one in (parts["memory, tiny"][name] for name in ("graddiff", "blur_npo")))
    assert {"target", "retrained", "graddiff", "npo_gdr", "blur_npo"} <= parts["stories15M"].keys()
    assert (tmp_path / "out/results.txt").read_text() == capsys.readouterr().out


def test_no_part_is_begun_that_the_time_left_is_too_short_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = rehearse(tmp_path, monkeypatch, "--budget", "0.01")["parts"]
    assert all("s are left" in part["skipped"] for part in parts.values())


def test_a_part_that_fails_or_cannot_be_done_leaves_the_others_their_time(tmp_path: Path) -> None:
    def fails(*_: Any) -> Any:
        raise ValueError("no kernel")

    def cannot(*_: Any) -> Any:
        raise SkippedError("not installed")

    seen: list[bool] = []

    def last(*_: Any) -> tuple[list[str], dict[str, Any]]:
        seen.append("no kernel" in (tmp_path / "results.json").read_text())
        return ["done"], {"value": 1}

    record = Record(tmp_path, {})
    options = Options("cpu", ("tiny",), 1, 8, 1, "", "", 10, 1)
    gpu.run_all([Part("a", 0, fails), Part("b", 0, cannot), Part("c", 0, last)], options, Timer(60), record)
    assert seen == [True], "what was found is on the disk before the next part"
    assert record.parts["a"]["failed"] == "ValueError: no kernel"
    assert record.parts["b"]["skipped"] == "not installed"
    assert record.parts["c"]["value"] == 1


def test_what_is_missing_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "NEEDED", {"torch": "torch", "no_such_module": "some-package>=2"})
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", "x"])
    with pytest.raises(SystemExit, match="some-package>=2"):
        gpu.main()
