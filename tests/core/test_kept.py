"""A finished result outlives what Snakemake deletes, and only a whole one comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.core import kept, manifest
from blur.core.errors import ArtifactError

KEY = {"settings": {}, "code": "c"}
MODEL, DRAWN = Path("results/ci/models/tofu/npo/default/seed0"), Path("results/ci/drawn/tofu/tradeoff")
FILES = {MODEL: ["adapter/weights", "weights"], DRAWN: ["../../../figures/tofu/tradeoff.pdf"]}


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two results; two files of the first have one content, and the second's lie elsewhere."""
    monkeypatch.chdir(tmp_path)
    for directory, names in FILES.items():
        directory.mkdir(parents=True)
        for name in names:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(directory.name)
        manifest.write(directory, "stage", KEY, names, {"cost": 1})


def spoil(directory: Path) -> dict[str, bytes]:
    """Remove a result as Snakemake does; return what there was."""
    paths = [directory / name for name in (*FILES[directory], "made.json", "manifest.json")]
    before = {str(path): path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
    return before


@pytest.mark.parametrize("directory", FILES, ids=lambda path: path.name)
def test_what_is_kept_comes_back_and_takes_no_room(directory: Path) -> None:
    inode = (directory / FILES[directory][0]).stat().st_ino
    kept.keep(directory)
    before = spoil(directory)
    kept.put_back(directory)
    assert {name: Path(name).read_bytes() for name in before} == before
    assert (directory / FILES[directory][0]).stat().st_ino == inode
    kept.forget(directory)
    assert not kept.KEPT.exists()
    manifest.check_files(directory, manifest.read(directory))


def test_a_kept_file_that_was_altered_does_not_come_back() -> None:
    kept.keep(MODEL)
    (MODEL / "adapter/weights").write_text("other")  # in place: the link has it as well
    spoil(MODEL)
    with pytest.raises(ArtifactError, match="seed0/adapter/weights: is no longer what was kept"):
        kept.put_back(MODEL)
    assert not (MODEL / "manifest.json").exists()


def test_a_result_that_is_not_whole_is_not_kept() -> None:
    (MODEL / "adapter/weights").unlink()
    (MODEL / "weights").unlink()
    (DRAWN / "manifest.json").unlink()
    for directory in FILES:
        kept.keep(directory)
    assert list(kept.kept(Path("results"))) == []


def test_without_hard_links_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(kept.os, "link", refuse)
    kept.keep(MODEL)
    assert not kept.KEPT.exists()


def test_snakemake_awaits_what_it_has_marked() -> None:
    assert not kept.is_awaited(MODEL)
    mark = kept.record_path(kept.INCOMPLETE, str(MODEL / "manifest.json"))
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert kept.is_awaited(MODEL)
    assert not kept.is_awaited(DRAWN)
