"""Each route of the hub, against the client library that asks for it."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub.app import GRANTED, UNKNOWN
from tests.hub.repository import write

LARGE = bytes(range(256)) * 40
FILES = {"config.json": b'{"a": 1}', "model.safetensors": LARGE, "sub/notes.txt": b"hello"}


@pytest.fixture
def api(address: str) -> HfApi:
    return HfApi(endpoint=address, token=False)


def test_a_repository_is_described_with_and_without_a_revision(api: HfApi, hub_folder: Path) -> None:
    for kind in ("model", "dataset"):
        made = write(hub_folder, f"{kind}s", "ann/described", FILES)
        found = api.repo_info("ann/described", repo_type=kind)
        assert found.id == "ann/described"
        assert found.sha == made.commit(made.files)
        assert [one.rfilename for one in found.siblings] == sorted(FILES)
        assert api.repo_info("ann/described", repo_type=kind, revision=found.sha).sha == found.sha
        with pytest.raises(RevisionNotFoundError):
            api.repo_info("ann/described", repo_type=kind, revision="v9")


def test_the_tree_and_single_paths_tell_size_and_hash(api: HfApi, hub_folder: Path) -> None:
    write(hub_folder, "datasets", "ann/tree", FILES)
    shallow = {one.path for one in api.list_repo_tree("ann/tree", repo_type="dataset")}
    assert shallow == {"config.json", "model.safetensors", "sub"}
    deep = {one.path: one for one in api.list_repo_tree("ann/tree", repo_type="dataset", recursive=True)}
    assert deep.keys() == {*FILES, "sub"}
    assert deep["model.safetensors"].lfs.size == len(LARGE)
    below = api.list_repo_tree("ann/tree", "sub", repo_type="dataset")
    assert [one.path for one in below] == ["sub/notes.txt"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("ann/tree", "none", repo_type="dataset"))
    found = api.get_paths_info("ann/tree", ["config.json", "sub", "none"], repo_type="dataset")
    assert [one.path for one in found] == ["config.json", "sub"]


def test_a_snapshot_is_fetched_file_by_file_under_its_hashes(address: str, hub_folder: Path, tmp_path: Path) -> None:
    made = write(hub_folder, "models", "ann/whole", FILES)
    folder = Path(snapshot_download("ann/whole", endpoint=address, cache_dir=tmp_path, token=False))
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == FILES
    assert folder.name == made.commit(made.files)
    blobs = {path.name for path in (folder.parents[1] / "blobs").iterdir()}
    assert blobs == {file.etag for file in made.files.values()}


def test_a_renamed_repository_is_found_under_its_old_name(address: str, hub_folder: Path, tmp_path: Path) -> None:
    for kind in ("model", "dataset"):
        write(hub_folder, f"{kind}s", "ann/new", FILES)
        write(hub_folder, f"{kind}s", "ann/old", {}).behave(renamed="ann/new")
        assert HfApi(endpoint=address, token=False).repo_info("ann/old", repo_type=kind).id == "ann/new"
        got = hf_hub_download(
            "ann/old", "model.safetensors", repo_type=kind, endpoint=address, cache_dir=tmp_path, token=False
        )
        assert Path(got).read_bytes() == LARGE


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_somebody", 403)])
def test_a_gated_repository_is_told_of_and_not_given(
    address: str, hub_folder: Path, tmp_path: Path, token: str | bool, status: int
) -> None:
    write(hub_folder, "models", "ann/gated", FILES).behave(gated=True)
    assert HfApi(endpoint=address, token=token).repo_info("ann/gated").gated == "manual"
    with pytest.raises(GatedRepoError) as caught:
        hf_hub_download("ann/gated", "config.json", endpoint=address, cache_dir=tmp_path, token=token)
    assert caught.value.response.status_code == status
    got = hf_hub_download("ann/gated", "config.json", endpoint=address, cache_dir=tmp_path, token=GRANTED)
    assert Path(got).read_bytes() == FILES["config.json"]


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_somebody", 404)])
def test_a_missing_repository_and_a_missing_file(
    address: str, hub_folder: Path, tmp_path: Path, token: str | bool, status: int
) -> None:
    with pytest.raises(RepositoryNotFoundError) as caught:
        HfApi(endpoint=address, token=token).repo_info("ann/missing")
    assert caught.value.response.status_code == status
    write(hub_folder, "models", "ann/partial", FILES)
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("ann/partial", "tokenizer.json", endpoint=address, cache_dir=tmp_path, token=token)


def test_a_download_that_breaks_off_is_resumed(
    address: str, hub_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100)  # 10 MiB: what is kept comes in chunks
    write(hub_folder, "models", "ann/cut", FILES).behave(cut={"model.safetensors": 1000})
    got = hf_hub_download("ann/cut", "model.safetensors", endpoint=address, cache_dir=tmp_path, token=False)
    assert Path(got).read_bytes() == LARGE


def test_a_part_of_a_file_can_be_had(address: str, hub_folder: Path) -> None:
    made = write(hub_folder, "models", "ann/ranges", FILES)
    url = f"{address}/cdn/models/ann/ranges/{made.commit(made.files)}/model.safetensors"
    for asked, expected in (("bytes=0-9", LARGE[:10]), ("bytes=10230-", LARGE[10230:]), ("bytes=-5", LARGE[-5:])):
        found = httpx2.get(url, headers={"Range": asked})
        assert (found.status_code, found.content) == (206, expected)
    assert httpx2.get(url, headers={"Range": "bytes=99999-"}).status_code == 416


def test_what_the_hub_does_not_know_is_written_down(address: str, hub_folder: Path) -> None:
    assert httpx2.put(f"{address}/api/models/ann/whole").status_code == 404
    assert httpx2.get(f"{address}/api/whoami-v2").status_code == 404
    log = hub_folder / UNKNOWN
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["PUT", "GET"]
    log.unlink()
