"""What mends the errors of the hub's clients, and whether the cache holds what the hub has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import datasets
import httpx2
import huggingface_hub.constants
import pytest
from huggingface_hub import errors

from blur.core import hub
from blur.core.errors import ArtifactError

NAME, LARGE, SMALL = "ann/MyBooks", b"x" * 3000, b'{"a": 1}'


def _answer(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    return kind("no", response=httpx2.Response(404, request=httpx2.Request("GET", "http://hub")))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (_answer(errors.GatedRepoError), "Accept the terms on the page of the model ann/MyBooks.*hf auth login"),
        (_answer(errors.RepositoryNotFoundError), "Mend the name; where the model is private, log in"),
        (_answer(errors.RevisionNotFoundError), "Mend `revision`"),
        (_answer(errors.RemoteEntryNotFoundError), "which files it has"),
        (httpx2.RemoteProtocolError("peer closed connection"), "Type the same command again: the download broke off"),
        (OSError("Consistency check failed: file should be of size 3"), "Type the same command again"),
        (errors.LocalEntryNotFoundError("no network, not in the cache"), None),
        (OSError("x does not appear to have a file named model.safetensors"), "safetensors alone are read"),
        (ValueError("something else"), None),
    ],
)
def test_the_remedy_follows_from_what_the_client_raised_first(error: Exception, told: str | None) -> None:
    try:
        raise OSError("a library's own words") from error
    except OSError as raised:
        found = hub.remedy(raised, "model", NAME)
    assert found is None if told is None else re.search(told, found or "")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A cache with a large and a small file of a dataset; returns where the content of a file is."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    folder = tmp_path / "hub/datasets--ann--MyBooks"
    (folder / "blobs").mkdir(parents=True)
    (folder / "snapshots/abc/data").mkdir(parents=True)
    made = tmp_path / "datasets/ann___my_books/default"
    made.mkdir(parents=True)
    git = hashlib.sha1(b"blob %d\0%s" % (len(SMALL), SMALL)).hexdigest()
    names = {"data/train.parquet": hashlib.sha256(LARGE).hexdigest(), "dataset_infos.json": git}
    for (file, blob), content in zip(names.items(), (LARGE, SMALL), strict=True):
        (folder / "blobs" / blob).write_bytes(content)
        (folder / "snapshots/abc" / file).symlink_to(folder / "blobs" / blob)
    (folder / "blobs/0123.incomplete").write_bytes(b"half of it")
    return lambda file: folder / "blobs" / names[file]


def test_a_whole_cache_is_left_alone(cache: Callable[[str], Path]) -> None:
    with hub.whole("dataset", NAME):
        pass
    with hub.whole("model", NAME):  # never fetched
        pass
    assert cache("data/train.parquet").is_file()


@pytest.mark.parametrize("file", ["data/train.parquet", "dataset_infos.json"])
def test_a_spoilt_file_is_named_and_removed_with_what_was_made_of_it(cache: Callable[[str], Path], file: str) -> None:
    blob = cache(file)
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(ArtifactError, match=rf"^dataset 'ann/MyBooks': {file} came .*removed from the cache"):
        hub.require_whole("dataset", NAME)
    left = [path for path in blob.parents[1].rglob("*") if path.is_symlink()]
    assert not blob.exists()
    assert len(left) == 1
    assert not (Path(datasets.config.HF_DATASETS_CACHE) / "ann___my_books").exists()
    hub.require_whole("dataset", NAME)


def test_a_spoilt_file_is_told_in_place_of_the_error_that_it_caused(cache: Callable[[str], Path]) -> None:
    blob = cache("data/train.parquet")
    blob.write_bytes(b"y" * len(LARGE))
    with pytest.raises(ArtifactError, match="came with another content"), hub.whole("dataset", NAME):
        raise ValueError("no Parquet file")
