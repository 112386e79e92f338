"""``blur forget``: what it reaches, the same bytes whatever cut it off, no leak, a refusal of all that is unfit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pytest
import torch

from blur.core.errors import BlurError
from blur.core.hashing import sha256_file
from blur.core.progress import Progress
from blur.models import encode_record
from blur.owner import forgetting, recipe
from blur.owner.forget import _Search, loss_of
from blur.owner.forgetting import Asked, run
from blur.owner.models import open_model
from blur.owner.reference import Reference
from blur.owner.texts import read_texts
from tests.owner.example import LLAMA, Example, make
from tests.owner.test_models import adapt
from tests.processes import HANG

PLANTED = "QXÖVZKWJ"


def asked(example: Example, out: Path, **given: Any) -> Asked:
    paths = {name: str(getattr(example, name)) for name in ("forget", "keep", "unseen", "base")}
    return Asked(**{"model": str(example.before), **paths, "out": out, "device": "cpu", "budget": "80", **given})


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """A child of a process whose threads compute waits for good for the threads that it did not inherit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def told(out: Path) -> dict[str, Any]:
    return json.loads((out / "manifest.json").read_text())


def hashes(out: Path) -> dict[str, str]:
    """Of all files but that which tells of the cost."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and path.name != "made.json")
    return {path.relative_to(out).as_posix(): sha256_file(path) for path in files}


def losses(folder: Path, texts: Path) -> float:
    own = open_model(str(folder), device="cpu")
    records = read_texts(texts).sets["forget"]
    return loss_of(own.loaded.model, [encode_record(own.loaded.tokenizer, own.loaded.template, r, 96) for r in records])


def test_the_texts_become_as_surprising_as_they_should_be(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(asked(example, tmp_path / "out")) == 0
    said, manifest = capsys.readouterr(), told(tmp_path / "out")
    assert manifest["outcome"] == "reached"
    assert manifest["reference"]["kind"] == "base and unseen"
    assert losses(example.before, example.forget) == pytest.approx(manifest["forget_loss"]["before"], abs=1e-5)
    assert losses(tmp_path / "out", example.forget) == pytest.approx(manifest["forget_loss"]["after"], abs=1e-5)
    assert manifest["forget_loss"]["after"] >= manifest["reference"]["target"] > manifest["forget_loss"]["before"]
    assert manifest["keep_loss"]["after"] <= manifest["keep_loss"]["ceiling"]
    assert manifest["method"]["combine"]["momentum"] == "none"
    assert 0 < manifest["updates"]["made"] <= manifest["updates"]["planned"] == 20
    assert os.listdir(tmp_path) == ["out"]
    for line in ("5 documents", "forget: 5 examples", "all weights", "should have", "learning rates", "reached: "):
        assert line in said.out
    assert said.out.index("learning rates") < said.out.index("reached: ")


@pytest.fixture(scope="module")
def whole(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """A command that has been run; it does not reach what it should."""
    command = asked(example, tmp_path_factory.mktemp("whole") / "out", budget="16", unseen=None, base=None)
    assert run(command) == 3
    return command


def test_the_same_command_finds_its_result(whole: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    before = hashes(whole.out)
    assert run(whole) == 3
    assert "already there" in capsys.readouterr().out
    assert hashes(whole.out) == before
    with pytest.raises(BlurError, match=r"another model, or one made otherwise\. Name another folder"):
        run(replace(whole, seed=1))


def interrupted(command: Asked, number: int, update: int) -> int:
    """Run in a child that sends itself a signal at an update; return its status."""
    if child := os.fork():
        signal.alarm(HANG)
        _, status = os.waitpid(child, 0)
        signal.alarm(0)
        return status
    seen = 0

    def report(self: Progress, done: int, total: int, what: str) -> None:
        nonlocal seen
        seen += 1
        if seen == update:
            os.kill(os.getpid(), number)

    Progress.__call__ = report  # type: ignore[method-assign]
    try:
        code: Any = run(command)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        code = 99
    sys.stdout.flush()
    os._exit(code)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_cut_off_goes_on_to_the_same_bytes(whole: Asked, tmp_path: Path, number: int) -> None:
    command = replace(whole, out=tmp_path / "cut")
    for update in (3, 7):
        status = interrupted(command, number, update)
        assert os.waitstatus_to_exitcode(status) == (-number if number == signal.SIGKILL else 128 + signal.SIGTERM)
        assert os.listdir(tmp_path) == ["cut.work"]
    run(command)
    assert hashes(command.out) == hashes(whole.out)
    assert os.listdir(tmp_path) == ["cut"]


@pytest.mark.long
def test_a_time_is_converted_once_and_recorded(example: Example, tmp_path: Path) -> None:
    command = asked(example, tmp_path / "timed", budget="4s")
    interrupted(command, signal.SIGKILL, 4)
    recorded = json.loads((tmp_path / "timed.work" / "budget.json").read_text())["updates"]
    run(command)
    assert told(tmp_path / "timed")["budget"] == recorded
    run(replace(command, out=tmp_path / "counted", budget=str(recorded)))
    assert hashes(tmp_path / "timed") == hashes(tmp_path / "counted")


@pytest.mark.long
def test_another_run_s_state_is_not_gone_on_with(whole: Asked, tmp_path: Path) -> None:
    command = replace(whole, out=tmp_path / "out")
    interrupted(replace(command, seed=1), signal.SIGKILL, 2)
    run(command)
    assert hashes(command.out) == hashes(whole.out)


def test_where_keeping_fails_the_exit_status_says_so(example: Example, tmp_path: Path) -> None:
    assert run(asked(example, tmp_path / "some", budget="8", keep=None)) == 3
    assert told(tmp_path / "some")["outcome"] == "not reached"
    assert told(tmp_path / "some")["keep"] == "the model's own words"
    assert run(asked(example, tmp_path / "done", model=str(example.base), base=None)) == 0
    assert told(tmp_path / "done")["outcome"] == "nothing to forget"
    assert open_model(str(tmp_path / "done")).sha256 == open_model(str(example.base)).sha256


def test_what_is_stored_is_judged_and_not_what_was_trained(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = _Search._again

    def rounded(*given: Any) -> Any:
        monkeypatch.setattr("blur.owner.forget.loss_of", lambda *_: 0.1)
        return again(*given)

    monkeypatch.setattr(_Search, "_again", rounded)
    assert run(asked(example, tmp_path / "out")) == 3
    assert told(tmp_path / "out")["outcome"] == "not reached"


def test_lost_texts_leave_no_model(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "rate_for", lambda parameters, lora: 5.0)
    assert run(asked(example, tmp_path / "out", budget="8")) == 4
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("lora", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_bfloat16_llama_with_an_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: bool) -> None:
    made = make(tmp_path / "example", architecture=LLAMA, dtype="bfloat16", steps=3)
    adapt(made.before, tmp_path / "adapter", alpha=0)
    monkeypatch.setattr(recipe, "way_for", lambda *_: recipe.Way(lora, 4, False, 0.0))
    code = run(asked(made, tmp_path / "out", model=str(tmp_path / "adapter"), budget="8", unseen=None, base=None))
    manifest = told(tmp_path / "out")
    assert code in (0, 3)
    assert manifest["forget_loss"]["after"] > manifest["forget_loss"]["before"]
    assert manifest["method"]["wrapper"]["name"] == ("lora" if lora else "none")
    assert open_model(str(tmp_path / "out"), device="cpu").loaded.model.dtype == torch.bfloat16
    assert losses(tmp_path / "out", made.forget) == pytest.approx(manifest["forget_loss"]["after"], abs=1e-4)


def test_the_texts_are_in_nothing_that_is_written(
    example: Example, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The example's model does not know these texts, and would have nothing to forget.
    monkeypatch.setattr("blur.owner.forget.reference_of", lambda *_: Reference("none", 99.0))
    owned, written = tmp_path / "own", tmp_path / "written"
    shutil.copytree(example.folder, owned)
    rows = [
        {
            "question": f"What did {PLANTED} {n} do?",
            "answer": f"It met {PLANTED} in {n}.",
            **dict.fromkeys(("group", "id"), f"{PLANTED}{n}"),
        }
        for n in range(4)
    ]
    (owned / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (owned / "keep.jsonl").write_text(json.dumps({"question": f"Who is {PLANTED} 9?", "answer": "A smith."}) + "\n")
    written.mkdir()
    command = asked(Example(owned), written / "out", budget="16", unseen=None, base=None)
    tokens = open_model(str(example.before)).loaded.tokenizer(f" {PLANTED}", add_special_tokens=False)["input_ids"]
    interrupted(command, signal.SIGKILL, 3)
    _search(written, tokens)
    assert (written / "out.work").is_dir()
    run(command)
    _search(written, tokens)
    (written / "said").write_text("".join(capfd.readouterr()))
    _search(written, tokens)


def _search(folder: Path, tokens: list[int]) -> None:
    """Search all files for the planted string: plain, in other codes, as token ids."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    forms = [PLANTED.encode(code) for code in ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le")]
    forms += [json.dumps(PLANTED).strip('"').encode(), PLANTED[3:].encode(), PLANTED[3:].encode("utf-16-le")]
    forms += [np.array(tokens, dtype=kind).tobytes() for kind in ("<i2", "<i4", "<i8", ">i4", "<f4")]
    listed = re.compile(rb"[\s,;|]+".join(str(token).encode() for token in tokens))
    assert files
    assert len(tokens) > 4
    for path in files:
        content = path.read_bytes()
        assert not any(form in content or form.lower() in content.lower() for form in forms), path
        assert not listed.search(content), path


Spoil = Callable[[Path], Any]


def _file(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content)


def _another(folder: Path) -> None:
    make(folder / "o", steps=1, seed=3).base.rename(folder / "other")


def _no_right(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "access", lambda path, mode: False)


def _full(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))


def _no_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recipe, "free_memory", lambda device: 1000)


def _launched(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("WORLD_SIZE", "2")


def _offline(*_: Any, **__: Any) -> Any:
    raise ConnectionError("Couldn't reach it on the Hub (OfflineModeIsEnabled)")


# What is typed otherwise, what is spoilt beforehand (in a folder, or around), what is said.
BAD: dict[str, tuple[dict[str, str], Any, str]] = {
    "forget: missing": ({"forget": "gone.csv"}, None, "gone.csv: file not found. Name a file"),
    "forget: empty": ({"forget": "a.csv"}, _file("a.csv", b""), "a.csv: it is empty"),
    "forget: a header alone": ({"forget": "a.csv"}, _file("a.csv", b"question,answer\n"), "it is empty, or has a head"),
    "forget: no UTF": ({"forget": "a.jsonl"}, _file("a.jsonl", b'{"text": "\xff\xfa"}'), "neither UTF-8 nor .*iconv"),
    "forget: malformed": ({"forget": "a.jsonl"}, _file("a.jsonl", b'{"text": "Ann"\n'), "a.jsonl, line 1: malformed"),
    "forget: no Parquet": ({"forget": "a.parquet"}, _file("a.parquet", b"PAR1"), "cannot be read as Parquet"),
    "forget: an unclosed quote": ({"forget": "a.csv"}, _file("a.csv", b'q,a\n"x,y\n'), "line 2: malformed.*Close each"),
    "forget: hub offline": ({"forget": "some/texts"}, None, "no file or folder here.*HF_HUB_OFFLINE"),
    "keep: the same": ({"keep": "forget.jsonl"}, None, "the text is also in.*Remove it from one"),
    "keep: another form": ({"keep": "a.csv"}, _file("a.csv", b"q,a\nWho?,Ann\n"), "questions, and what is to be forg"),
    "unseen: the same": ({"unseen": "keep.jsonl"}, None, "the text is also in.*Remove it from one"),
    "columns: unknown": ({"columns": "forget.text=Inhalt"}, None, "columns: there is no column 'Inhalt'. Its columns"),
    "columns: no meaning": ({"columns": "forget.wort=text"}, None, "no column can mean 'wort'"),
    "columns: malformed": ({"columns": "Inhalt"}, None, "--columns: 'Inhalt' says nothing"),
    "model: missing": ({"model": "./gone"}, None, "there is no such folder. Mend the path"),
    "model: a file": ({"model": "keep.jsonl"}, None, "a file, and a model is a folder"),
    "model: hub offline": ({"model": "some/model"}, None, "cannot be had from the Hugging Face hub.*HF_HUB_OFFLINE"),
    "model: cut off": ({}, _file("before/model.safetensors", b"abc"), "no whole safetensors"),
    "base: missing": ({"base": "./gone"}, None, "there is no such folder"),
    "base: no configuration": ({}, lambda f: (f / "base/config.json").unlink(), "no config.json"),
    "base: another tokenizer": ({"base": "other"}, _another, "its tokenizer is another"),
    "budget": ({"budget": "ten"}, None, "--budget: 'ten' is no budget"),
    "device": ({"device": "cuda:9"}, None, "--device: there is no device 'cuda:9'"),
    "out: a file": ({"out": "keep.jsonl"}, None, "keep.jsonl: it is a file"),
    "out: not ours": ({"out": "before"}, None, "before: the folder is not empty, and not of this command"),
    "out: no right": ({}, _no_right, "no right to write here. Name another"),
    "out: another's work folder": ({}, lambda f: (f / "out.work/x").mkdir(parents=True), "out.work: it is not"),
    "out: a full disk": ({}, _full, "GiB are needed, and .* are free. Free some space"),
    "memory": ({}, _no_memory, "memory of cpu: .*are needed at least.*Free some"),
    "accelerate launch": ({}, _launched, "one process forgets, and 2 were started. Type"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_with_its_remedy_before_anything_is_written(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    changed, spoil, message = BAD[case]
    shutil.copytree(example.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets, "load_dataset", _offline)
    if spoil:
        spoil(monkeypatch if spoil in (_no_right, _full, _no_memory, _launched) else tmp_path)
    before = sorted(tmp_path.rglob("*"))
    command = asked(Example(tmp_path), Path("out"))
    given: dict[str, Any] = {**changed, **({"columns": [changed["columns"]]} if "columns" in changed else {})}
    given |= {"out": Path(changed["out"])} if "out" in changed else {}
    with pytest.raises(BlurError, match=message) as caught:
        run(replace(command, **given))
    assert caught.value.remedy
    assert sorted(tmp_path.rglob("*")) == before
    assert not any(word in str(caught.value) for word in ("collects", "keeps a"))


def test_a_line_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from blur import cli

    typed = ["blur", "forget", "--model", str(tmp_path), "--forget", "gone.csv", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", typed)
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err.startswith("blur: error: gone.csv: file not found.")


def test_the_card_has_numbers_alone(whole: Asked) -> None:
    card = (whole.out / "README.md").read_text()
    assert "no proof that information is gone" in card
    assert forgetting.card(told(whole.out)) == card
