"""A manifest tells whether a directory is what it was, and which file is not."""

from pathlib import Path

import pytest

from blur.core import manifest
from blur.core.errors import ArtifactError
from blur.core.files import atomic_path, write_json
from blur.core.hashing import canonical_json, sha256_json

KEY = {"settings": {"x": 1}, "code": "c"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(b"\x00\x01")
    (tmp_path / "b.txt").write_text("b")
    manifest.write(tmp_path, "stage", KEY, ["a.bin", "b.txt"], {"cost": {"wall_seconds": 1}}, counts={"a": 1})
    return tmp_path


def test_a_whole_directory_passes(directory: Path) -> None:
    content = manifest.read(directory)
    manifest.check_files(directory, content)
    assert content["key_hash"] == sha256_json({"code": "c", "settings": {"x": 1}})
    assert manifest.made(directory)["libraries"]["torch"].startswith("2.13.0")


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"\x00\x02"), lambda p: p.unlink()], ids=["byte", "gone"])
def test_a_spoilt_file_is_named(directory: Path, spoil) -> None:
    spoil(directory / "a.bin")
    with pytest.raises(ArtifactError, match=r"a\.bin.*make verify"):
        manifest.check_files(directory, manifest.read(directory))
    manifest.check_files(directory, manifest.read(directory), ["b.txt"])


def test_a_file_that_is_not_listed_is_refused(directory: Path) -> None:
    with pytest.raises(ArtifactError, match=r"c\.txt: not listed"):
        manifest.check_files(directory, manifest.read(directory), ["c.txt"])


@pytest.mark.parametrize(
    ("files", "key", "cost", "same"),
    [
        (["b.txt", "a.bin"], KEY, 2, True),
        (["a.bin"], KEY, 1, False),
        (["a.bin", "b.txt"], {**KEY, "code": "d"}, 1, False),
    ],
)
def test_the_manifest_is_the_same_bytes_unless_content_or_key_is_another(
    directory: Path, files: list[str], key: dict, cost: int, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, made = (directory / "manifest.json").read_bytes(), manifest.made(directory)
    monkeypatch.setattr(manifest.socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(manifest, "library_versions", lambda: {"torch": "3"})
    manifest.write(directory, "stage", key, files, {"cost": {"wall_seconds": cost}}, counts={"a": 1})
    assert ((directory / "manifest.json").read_bytes() == before) is same
    assert manifest.made(directory) != made


def test_a_result_that_does_not_tell_how_it_was_made_is_one_all_the_same(directory: Path) -> None:
    (directory / "made.json").write_text("{")
    manifest.check_files(directory, manifest.read(directory))
    assert manifest.made(directory) == {}


def test_a_directory_without_manifest_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no finished result"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"key": {}}', "\x00"])
def test_an_unreadable_manifest_is_named_with_a_remedy(directory: Path, text: str) -> None:
    (directory / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest.json: not a readable manifest .*make verify"):
        manifest.read(directory)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert path.read_text() == '{\n "a": 1\n}\n'


def test_canonical_json_does_not_depend_on_order() -> None:
    assert (
        canonical_json({"b": 1, "a": [1.0, None]})
        == canonical_json({"a": [1.0, None], "b": 1})
        == '{"a":[1.0,null],"b":1}'
    )


def test_a_stage_names_the_input_that_is_not_there(directory: Path, tmp_path: Path) -> None:
    from blur.stages.job import hashes

    assert set(hashes({"data": directory})) == {"data"}
    with pytest.raises(ArtifactError, match=r"nowhere/manifest\.json: no manifest, so this is no finished result"):
        hashes({"data": directory, "target": tmp_path / "nowhere"})
