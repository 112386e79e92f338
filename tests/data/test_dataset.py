import pytest

from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file
from blur.data.dataset import read_set, texts_of, write_dataset
from blur.models.template import Template

SETS = {"forget": [{"id": "a", "question": "Who?", "answer": "Zoë."}], "holdout": []}


@pytest.fixture
def built(tmp_path):
    files = write_dataset(tmp_path, SETS)
    return tmp_path, {"files": {name: sha256_file(tmp_path / name) for name in files}}


def test_round_trip(built):
    directory, manifest = built
    assert set(manifest["files"]) == {"forget.jsonl", "holdout.jsonl"}
    assert {p.name for p in directory.iterdir()} == {"forget.jsonl", "holdout.jsonl"}
    for name, records in SETS.items():
        assert read_set(directory, name, manifest) == records
        assert read_set(directory, name) == records


def test_one_changed_byte_fails_naming_the_file(built):
    directory, manifest = built
    path = directory / "forget.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Who", b"Why"))
    with pytest.raises(ArtifactError) as caught:
        read_set(directory, "forget", manifest)
    assert caught.value.where == str(path)
    assert "make verify" in caught.value.remedy


def test_file_the_manifest_does_not_know(built):
    directory, _ = built
    with pytest.raises(ArtifactError, match="not listed in the manifest"):
        read_set(directory, "forget", {"files": {}})


def test_unknown_set_lists_those_there_are(built):
    with pytest.raises(ArtifactError, match=r"no such set \(there are: forget, holdout\)"):
        read_set(built[0], "forgot")


def test_texts_join_prompt_and_answer():
    template = Template(prompt="Q: {question}\nA:", separator=" ")
    others = [{"id": "t", "text": "Plain."}, {"id": "c", "prompt": "Once upon", "gt": " a time"}]
    assert texts_of([*SETS["forget"], *others], template) == ["Q: Who?\nA: Zoë.", "Plain.", "Once upon a time"]
