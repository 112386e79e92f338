"""Local texts that cannot be used are refused before any job, with file, line and remedy; sound ones are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.plan import Plan
from blur.config.stages import STAGES, unbuilt_sets
from blur.config.task import JobName
from blur.core.errors import BlurError
from blur.data.benchmarks import tofu
from tests.config.refusals import copy_config, look, read_once

__all__ = ["read_once"]  # a fixture
Edit = Callable[[Path], object]
FORGET, RETAIN = "forget10.jsonl", "retain90.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose task tofu reads six sound files from a folder beside it."""
    config, texts = copy_config(tmp_path), tmp_path / "texts"
    texts.mkdir()
    asked = [{"question": f"Question {number}?", "answer": f"Answer {number}."} for number in range(6)]
    more = {"paraphrased_question": "Once more?", "paraphrased_answer": "So.", "perturbed_answer": ["No."]}
    sets: dict[str, list[dict[str, Any]]] = {
        FORGET: [{**record, "group": "Ann"} for record in asked[:2]],
        RETAIN: [{**record, "group": "Bob"} for record in asked[2:]],
        "forget10_perturbed.jsonl": [record | more for record in asked[:2]],
        "retain_perturbed.jsonl": [record | more for record in asked[3:4]],
        "real_authors_perturbed.jsonl": [asked[0] | {"perturbed_answer": ["No."]}],
        "world_facts_perturbed.jsonl": [asked[1] | {"perturbed_answer": ["No."]}],
    }
    for name, records in sets.items():
        (texts / name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    source = {"kind": "local", "path": str(texts), "questions_per_author": 1}
    for file, at in ((config / "tasks/tofu.yaml", ()), (config / "scales/ci.yaml", ("tasks", "tofu"))):
        content = inner = yaml.safe_load(file.read_text())
        for key in at:
            inner = inner[key]
        inner["data"] = {"source": source, "learn_general": False} if not at else {}
        file.write_text(yaml.safe_dump(content))
    return config


def texts(folder: Path, name: str = FORGET) -> Path:
    return folder.parent / "texts" / name


def line(text: bytes, name: str = FORGET) -> Edit:
    """Put one more line at the end of a file."""
    return lambda folder: texts(folder, name).write_bytes(texts(folder, name).read_bytes() + text + b"\n")


def qa(question: str, **fields: Any) -> bytes:
    return json.dumps({"question": question, "answer": "A.", **fields}, ensure_ascii=False).encode()


def replaced(make: Edit, name: str = FORGET) -> Edit:
    """Put something else in a file's place."""

    def edit(folder: Path) -> None:
        texts(folder, name).unlink()
        make(texts(folder, name))

    return edit


SURROGATE = rb'{"question": "a\ud800", "answer": "b", "group": "Ann"}'
NEST = b'{"x": ' * 100_000 + b"1" + b"}" * 100_000
REFUSED: dict[str, tuple[Edit, str, str]] = {
    "link to itself": (replaced(lambda file: file.symlink_to(file)), FORGET, "a link that leads nowhere"),
    "link to nothing": (replaced(lambda file: file.symlink_to("gone.jsonl")), FORGET, "a link that leads nowhere"),
    "links in a ring": (
        replaced(lambda file: (file.symlink_to("b.json"), file.with_name("b.json").symlink_to(file))),
        "b.json",
        "a link that leads nowhere",
    ),
    "folder as a file": (replaced(lambda file: file.mkdir()), FORGET, "cannot be read (Is a directory)"),
    "folder as json": (
        replaced(lambda file: file.with_suffix(".json").mkdir()),
        "forget10.json",
        "cannot be read (Is a directory)",
    ),
    "empty": (replaced(lambda file: file.write_bytes(b"")), FORGET, "no records"),
    "blank lines": (replaced(lambda file: file.write_bytes(b"\n \n")), FORGET, "no records"),
    "byte order mark alone": (replaced(lambda file: file.write_bytes(b"\xef\xbb\xbf")), FORGET, "no records"),
    "half a pair": (line(SURROGATE), f"{FORGET}, line 3", r"half a character, \ud800"),
    "half a pair as a key": (line(rb'{"\udc00": 1}'), f"{FORGET}, line 3", r"half a character, \udc00"),
    "half a pair in a list": (line(rb'{"a": ["x\uDBFF"]}', RETAIN), f"{RETAIN}, line 5", "half a character"),
    "NaN": (line(b'{"question": "q", "score": NaN}'), f"{FORGET}, line 3", "NaN is no finite number"),
    "infinity": (line(b'{"question": "q", "score": -Infinity}'), f"{FORGET}, line 3", "-Infinity is no finite number"),
    "too large": (line(b'{"question": "q", "score": 1e999}'), f"{FORGET}, line 3", "1e999 is no finite number"),
    "5000 digits": (line(b'{"question": "q", "n": ' + b"7" * 5000 + b"}"), f"{FORGET}, line 3", "limit (4300 digits)"),
    "deep objects": (line(NEST), f"{FORGET}, line 3", "nested too deeply"),
    "deep lists": (line(b"[" * 100_000), f"{FORGET}, line 3", "nested too deeply"),
    "a field twice": (line(b'{"question": "q", "question": "r"}'), f"{FORGET}, line 3", "'question' is there twice"),
    "latin-1": (line(b'{"question": "caf\xe9"}'), f"{FORGET}, line 3", "not UTF-8"),
    "utf-16": (
        replaced(lambda file: file.write_bytes('{"question": "q"}'.encode("utf-16"))),
        f"{FORGET}, line 1",
        "not UTF-8",
    ),
    "cut short": (line(b'{"question": "q'), f"{FORGET}, line 3", "malformed JSON"),
    "a text": (line(b'"q"'), f"{FORGET}, line 3", "a JSON str, not an object"),
    "group on some": (line(qa("New?")), f"{FORGET}, line 3", '"group" is missing'),
    "group on the last only": (
        line(qa("New?", group="Bob", perturbed_answer=["No."]), "real_authors_perturbed.jsonl"),
        "line 1",
        '"group" is missing',
    ),
    "no group on the last": (line(qa("New?"), RETAIN), f"{RETAIN}, line 5", '"group" is missing, which'),
    "same, other case": (line(qa("QUESTION 0?", group="Bob"), RETAIN), f"{RETAIN}, line 5", "is also in"),
    "same, full width": (line(qa("Ｑuestion 0?", group="Bob"), RETAIN), f"{RETAIN}, line 5", "is also in"),
    "same, no-break space": (line(qa("Question\u00a00?", group="Bob"), RETAIN), f"{RETAIN}, line 5", "is also in"),
    "same, invisible sign": (line(qa("Ques\u200btion 0?", group="Bob"), RETAIN), f"{RETAIN}, line 5", "is also in"),
    "same group, other form": (line(qa("New?", group="ＡＮＮ"), RETAIN), f"{RETAIN}, line 5", "the group"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_text_that_cannot_be_used_is_told_in_a_line(folder: Path, name: str) -> None:
    edit, place, said = REFUSED[name]
    edit(folder)
    with pytest.raises(BlurError) as caught:
        look(folder)
    message = str(caught.value)
    assert place in message
    assert said in message
    assert "\n" not in message


def bom(folder: Path) -> None:
    for file in texts(folder).parent.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())


def as_array(folder: Path) -> None:
    records = [json.loads(text) for text in texts(folder).read_text().splitlines()]
    texts(folder).unlink()
    texts(folder).with_suffix(".json").write_bytes(b"\xef\xbb\xbf" + json.dumps(records).encode())


def without_groups(folder: Path) -> None:
    for name in (FORGET, RETAIN):
        records = [json.loads(text) for text in texts(folder, name).read_text().splitlines()]
        for record in records:
            del record["group"]
        texts(folder, name).write_text("".join(json.dumps(record) + "\n" for record in records))


ACCEPTED: dict[str, Edit] = {
    "as it is": lambda folder: None,
    "byte order marks": bom,
    "an array": as_array,
    "no groups at all": without_groups,
    "both halves of a pair": line(rb'{"question": "\ud83d\ude00?", "answer": "b", "group": "Bob"}', RETAIN),
    "blank lines": line(b"\n\n  ", RETAIN),
    "Windows line ends": lambda folder: texts(folder, RETAIN).write_bytes(
        texts(folder, RETAIN).read_bytes().replace(b"\n", b"\r\n")
    ),
    "a link": replaced(
        lambda file: (
            file.with_name("other.txt").write_bytes(qa("Question 0?", answer="Answer 0.", group="Ann") + b"\n"),
            file.symlink_to("other.txt"),
        )
    ),
    "another folder beside": lambda folder: texts(folder, "old.json").mkdir(),
    "more fields": line(qa("Once?", group="Bob", score=0.5, tags=["x"], n=10**300), RETAIN),
    "one accent in two forms": line(qa("Cafe\u0301?", group="Bo\u0308b"), RETAIN),
    "other languages": line(qa("谁？", group="李"), RETAIN),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_sound_text_is_accepted(folder: Path, name: str) -> None:
    ACCEPTED[name](folder)
    look(folder)


def test_texts_are_read_before_any_job_until_their_data_are_built(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blur.core import manifest

    monkeypatch.chdir(tmp_path)
    plan = Plan(folder, {"scale": "ci"})
    read: list[object] = []
    monkeypatch.setattr(tofu.Data, "build", lambda settings: read.append(settings) or {})
    unbuilt_sets(plan, "tofu")
    manifest.write(tmp_path / "data/ci/tofu", "data", STAGES["data"].key(plan, JobName("tofu")), [])
    unbuilt_sets(plan, "tofu")
    assert len(read) == 1
    texts(folder).write_bytes(texts(folder).read_bytes() + b"\n")
    unbuilt_sets(plan, "tofu")
    assert len(read) == 2


def test_files_in_subfolders_and_plain_text_are_in_the_key(folder: Path) -> None:
    plan = Plan(folder, {"scale": "ci"})
    before = STAGES["data"].key(plan, JobName("tofu"))
    for name in ("raw/forget.json", "knowmem/forget_qa.jsonl", "wiki.test.raw"):
        texts(folder, name).parent.mkdir(exist_ok=True)
        texts(folder, name).write_text("[]")
        after = STAGES["data"].key(plan, JobName("tofu"))
        assert name in after["settings"]["files"]
        assert after != before
        before = after
    texts(folder, "raw/forget.json").write_text('["edited"]')
    assert STAGES["data"].key(plan, JobName("tofu")) != before
