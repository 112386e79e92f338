"""The Hugging Face hub's clients: what mends what they raise, and whether what they fetched is whole.

A download is checked by its size alone; the hash that names it in the cache is never compared. A disk, a proxy or a
mirror that changes a byte would then go unnoticed until a job reads a wrong weight.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file

Kind = Literal["model", "dataset"]
LOG_IN = "`hf auth login` (or set HF_TOKEN)"
_LONGEST = 300  # characters of a library's words
AGAIN = "Type the same command again"
USUAL = "Check network, names and access; without a network set HF_HUB_OFFLINE=1 to use the local cache"


def remedy(error: BaseException, kind: Kind, name: str) -> str | None:
    """Return what mends an error of the hub's clients; None where none of them tells its reason.

    The clients raise errors of their own from those of ``huggingface_hub``, which are looked for along the chain; where
    ``datasets`` cuts it, its words are read.
    """
    from httpx2 import TransportError
    from huggingface_hub import errors

    causes = list(_chain(error))

    def is_one(*types: type[BaseException]) -> bool:
        return any(isinstance(cause, types) for cause in causes)

    def says(words: str) -> bool:
        return any(words in str(cause) for cause in causes)

    if is_one(errors.GatedRepoError) or says("is a gated dataset on the Hub"):
        return f"Accept the terms on the page of the {kind} {name}, with the account that you log in with: {LOG_IN}"
    if is_one(errors.RevisionNotFoundError):
        return f"Mend `revision`: it is no branch, tag or commit of the {kind} {name}"
    if is_one(errors.RepositoryNotFoundError) or says("doesn't exist on the Hub"):
        return f"Mend the name; where the {kind} is private, log in: {LOG_IN}"
    if is_one(errors.RemoteEntryNotFoundError) or says("does not appear to have a file named"):
        return f"See on the page of the {kind} {name} which files it has; of weights, safetensors alone are read"
    if is_one(errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError):
        return None
    if is_one(TransportError) or says("Consistency check failed"):
        return f"{AGAIN}: the download broke off"
    return None


def reason(error: BaseException) -> str:
    """Return the first line of what went wrong: of the connection where it broke, else of the error itself."""
    from httpx2 import TransportError

    broken = next((cause for cause in _chain(error) if isinstance(cause, TransportError)), error)
    line = (str(broken).strip() or type(broken).__name__).splitlines()[0]
    return line.partition(". Please ")[0][:_LONGEST].rstrip(".")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def whole(kind: Kind, name: str) -> Iterator[None]:
    """Check what the cache holds of a repository once it has been read, in success and in failure.

    Raises:
        ArtifactError: as ``require_whole``.
    """
    try:
        yield
    finally:
        require_whole(kind, name)


def require_whole(kind: Kind, name: str) -> None:
    """Compare what the cache holds of a repository with the hashes that the hub told.

    Spoilt files are removed from the cache, with what ``datasets`` made of them, so that they are fetched again.

    Raises:
        ArtifactError: a file is not what the hub has; names it.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type=kind)
    spoilt = {blob for blob in folder.glob("blobs/*") if not _is_whole(blob)}
    if not spoilt:
        return
    links = [link for link in folder.glob("snapshots/*/**/*") if link.resolve() in {blob.resolve() for blob in spoilt}]
    names = sorted({"/".join(link.relative_to(folder).parts[2:]) for link in links})
    for file in (*links, *spoilt):
        file.unlink()
    if kind == "dataset":
        from datasets import config, naming

        owner, _, own = name.rpartition("/")
        made = "___".join(filter(None, (owner, naming.camelcase_to_snakecase(own))))
        shutil.rmtree(Path(config.HF_DATASETS_CACHE) / made, ignore_errors=True)
    what = f"{' and '.join(names) or 'a file'} came with another content than the hub says"
    raise ArtifactError(what, f"{kind} {name!r}", f"{AGAIN}: what was spoilt is removed from the cache")


def _is_whole(blob: Path) -> bool:
    """Whether a file of the cache has the hash that it is named after: SHA-256, or that of git for a small file."""
    if blob.suffix:  # `.incomplete`, `.lock`
        return True
    if len(blob.name) == 64:
        return sha256_file(blob) == blob.name
    content = blob.read_bytes()
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest() == blob.name
