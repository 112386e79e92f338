"""The hub's answers, as ``huggingface_hub`` 2, ``transformers`` 5 and ``datasets`` 5 ask for them.

    GET   /api/{models,datasets}/ID [/revision/R]         what a repository is
    GET   /api/{models,datasets}/ID/tree/R [/PATH]        its files
    POST  /api/{models,datasets}/ID/paths-info/R          some of them
    HEAD, GET  [/datasets]/ID/resolve/R/FILE              redirects: a small file to the cache, a large one to the CDN
    HEAD, GET  /api/resolve-cache/..., /cdn/...           contents, in ranges
    GET   /api/agent-harnesses                            by what the client may be driven: by nothing here

``tests.hub.writing`` has the routes by which a repository is written to. Every other request is answered 404 and
written to ``unknown.txt`` in the hub's folder, so that whoever started the hub can fail. ``datasets`` asks the host
``datasets-server.<hub>`` too; where that name leads here, it has nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.hub import writing
from tests.hub.repository import KINDS, File, Repository, repository

UNKNOWN = "unknown.txt"
GRANTED = "hf_granted"  # the token of a person who has accepted every licence
Answer = Callable[[Request, Repository], Awaitable[Response]]


class _Kind(Convertor[str]):
    regex = "|".join(KINDS)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("kind", _Kind())


class Refused(Exception):
    """An answer that is an error, with the hub's code for it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.response = JSONResponse({"error": message}, status, {"X-Error-Code": code, "X-Error-Message": message})


def create_app(root: Path) -> Starlette:
    """Return the hub that serves a folder of ``models/OWNER/NAME`` and ``datasets/OWNER/NAME``."""

    async def unknown(request: Request) -> Response:
        if request.url.hostname and request.url.hostname.startswith("datasets-server."):
            return JSONResponse({"error": "The dataset viewer is not here"}, 404)
        with open(root / UNKNOWN, "a", encoding="utf-8") as log:
            log.write(f"{request.method} {request.url}\n")
        return JSONResponse({"error": "This hub has no such route"}, 404)

    def of(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            named = request.path_params
            found = repository(root, named.get("kind", "models"), f"{named['owner']}/{named['name']}")
            try:
                return await _moved(request, found) or await answer(request, found)
            except Refused as refused:
                return refused.response

        return answered

    api, name = "/api/{kind:kind}", "{owner}/{name}"
    reads = ["GET", "HEAD"]
    routes = [
        Route("/api/agent-harnesses", _harnesses),
        Route(f"{api}/{name}", of(_info)),
        Route(f"{api}/{name}/revision/{{revision}}", of(_info)),
        Route(f"{api}/{name}/tree/{{revision}}", of(_tree)),
        Route(f"{api}/{name}/tree/{{revision}}/{{path:path}}", of(_tree)),
        Route(f"{api}/{name}/paths-info/{{revision}}", of(_paths_info), methods=["POST"]),
        Route(f"/api/resolve-cache/{{kind:kind}}/{name}/{{revision}}/{{path:path}}", of(_content), methods=reads),
        Route(f"/cdn/{{kind:kind}}/{name}/{{revision}}/{{path:path}}", of(_content), methods=reads),
        Route(f"/{{kind:kind}}/{name}/resolve/{{revision}}/{{path:path}}", of(_resolve), methods=reads),
        Route(f"/{name}/resolve/{{revision}}/{{path:path}}", of(_resolve), methods=reads),
        *writing.routes(root),
        Route("/{rest:path}", unknown, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    ]
    return Starlette(routes=routes)


async def _harnesses(_: Request) -> Response:
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})


async def _moved(request: Request, asked: Repository) -> Response | None:
    new = asked.behaviour.renamed
    return RedirectResponse(request.url.path.replace(asked.name, new, 1), 307) if new else None


def _token(request: Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _files(request: Request, asked: Repository) -> dict[str, File]:
    """The files at the asked revision. Nobody learns without a token whether a repository is private or missing."""
    files = asked.files
    if not files:
        if not _token(request):
            raise Refused(401, "RepoNotFound", "Invalid username or password.")
        raise Refused(404, "RepoNotFound", "Repository not found")
    revision = request.path_params.get("revision", "main")
    if not asked.holds(revision, files):
        raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return files


def _require_access(request: Request, asked: Repository) -> None:
    if not asked.behaviour.gated or _token(request) == GRANTED:
        return
    what = f"Access to {asked.kind.removesuffix('s')} {asked.name} is restricted"
    if not _token(request):
        raise Refused(401, "GatedRepo", f"{what}. You must have access to it and be authenticated to access it.")
    raise Refused(403, "GatedRepo", f"{what} and you are not in the authorized list.")


async def _info(request: Request, asked: Repository) -> Response:
    files = _files(request, asked)
    return JSONResponse(
        {
            "id": asked.name,
            "sha": asked.commit(files),
            "lastModified": "2026-01-01T00:00:00.000Z",
            "private": False,
            "disabled": False,
            "gated": "manual" if asked.behaviour.gated else False,
            "tags": [],
            "siblings": [{"rfilename": path} for path in files],
        }
    )


def _folders(files: dict[str, File]) -> list[str]:
    return sorted({str(folder) for path in files for folder in Path(path).parents if str(folder) != "."})


async def _tree(request: Request, asked: Repository) -> Response:
    files, below = _files(request, asked), request.path_params.get("path", "")
    prefix = f"{below}/" if below else ""
    deep = request.query_params.get("recursive", "").lower() == "true"
    told = _entries(files, [path for path in (*_folders(files), *files) if path.startswith(prefix)])
    if below and not told:
        raise Refused(404, "EntryNotFound", f"{below} does not exist on main")
    return JSONResponse([one for one in told if deep or "/" not in one["path"].removeprefix(prefix)])


async def _paths_info(request: Request, asked: Repository) -> Response:
    files = _files(request, asked)
    paths = parse_qs((await request.body()).decode())["paths"]
    return JSONResponse(_entries(files, [path.strip("/") for path in paths]))


def _entries(files: dict[str, File], paths: list[str]) -> list[dict[str, Any]]:
    folders = set(_folders(files))
    return [
        files[path].told() if path in files else {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
        for path in paths
        if path in files or path in folders
    ]


def _file(request: Request, asked: Repository) -> tuple[File, str]:
    files, path = _files(request, asked), request.path_params["path"]
    _require_access(request, asked)
    if path not in files:
        raise Refused(404, "EntryNotFound", "Entry not found")
    return files[path], asked.commit(files)


async def _resolve(request: Request, asked: Repository) -> Response:
    try:
        file, commit = _file(request, asked)
    except Refused as refused:
        if files := asked.files:
            refused.response.headers["X-Repo-Commit"] = asked.commit(files)
        raise
    place = f"{asked.kind}/{asked.name}/{commit}/{file.path}"
    told = {"X-Repo-Commit": commit}
    if not file.is_large:
        return RedirectResponse(f"/api/resolve-cache/{place}", 307, told)
    told |= {"X-Linked-Size": str(len(file.content)), "X-Linked-Etag": f'"{file.etag}"'}
    return RedirectResponse(f"{request.base_url}cdn/{place}", 302, told)


async def _content(request: Request, asked: Repository) -> Response:
    file, commit = _file(request, asked)
    content, how = file.content, asked.behaviour
    if file.path in how.spoilt:
        content = content[:-1] + bytes([content[-1] ^ 0xFF])
    size, start, stop = len(content), 0, len(content)
    told = {"ETag": f'"{file.etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
    if asked_range := request.headers.get("Range"):
        first, _, last = asked_range.removeprefix("bytes=").partition("-")
        start = int(first) if first else size - int(last)
        stop = min(int(last) + 1, size) if first and last else size
        if start >= size:
            return Response(None, 416, {"Content-Range": f"bytes */{size}"})
        told["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    told["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(None, headers=told)
    ends = stop
    if file.path in how.cut and (not start or not how.resumes):
        ends = start if start else min(stop, how.cut[file.path])
    return StreamingResponse(_sent(content[start:ends], broken=ends < stop), 206 if asked_range else 200, told)


async def _sent(content: bytes, broken: bool) -> AsyncIterator[bytes]:
    """Send the content; a broken answer ends the connection before the promised length."""
    if content:
        yield content
    if broken:
        raise ConnectionError("the hub breaks off here")
