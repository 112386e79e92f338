"""How a model is sent to the hub: ``create_repo`` and ``create_commit`` of ``huggingface_hub``, without Xet.

POST  /api/repos/create                               a repository is to be there
POST  /api/validate-yaml                              the head of a card
POST  /api/models/ID/preupload/R                      which files are large
POST  /ID.git/info/lfs/objects/batch                  where to put those
PUT   /lfs/SHA256                                     one of them
POST  /api/models/ID/commit/R                         all files: content, or the hash of what was put
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hub.repository import LARGE, repository

WRITER = "hf_writer"  # the token of a person who may write
CREATED = "created.json"  # what a repository was asked to be


def routes(root: Path) -> list[Route]:
    """Return the routes by which a hub's folder is written to."""
    put = root / "lfs"

    def may_write(request: Request) -> bool:
        return request.headers.get("Authorization", "") == f"Bearer {WRITER}"

    def refused() -> Response:
        return JSONResponse({"error": "Invalid username or password."}, 401)

    async def create(request: Request) -> Response:
        if not may_write(request):
            return refused()
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        folder = repository(root, "models", name).folder
        if folder.is_dir():
            return JSONResponse({"error": "You already created this model repo"}, 409)
        folder.mkdir(parents=True)
        (root / CREATED).write_text(json.dumps(asked))
        return JSONResponse({"url": f"{request.base_url}{name}"})

    async def validate(request: Request) -> Response:
        return JSONResponse({"errors": [], "warnings": []})

    async def preupload(request: Request) -> Response:
        files = (await request.json())["files"]
        told = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for one in files
        ]
        return JSONResponse({"files": told})

    async def batch(request: Request) -> Response:
        objects = (await request.json())["objects"]
        told = [
            {**one, "actions": {"upload": {"href": f"{request.base_url}lfs/{one['oid']}", "header": {}}}}
            for one in objects
        ]
        return JSONResponse({"transfer": "basic", "objects": told})

    async def content(request: Request) -> Response:
        body = await request.body()
        put.mkdir(exist_ok=True)
        assert hashlib.sha256(body).hexdigest() == request.path_params["sha256"]
        (put / request.path_params["sha256"]).write_bytes(body)
        return Response()

    async def commit(request: Request) -> Response:
        if not may_write(request):
            return refused()
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        for line in (await request.body()).splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                continue
            path = repository(root, "models", name).folder / value["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            large = item["key"] == "lfsFile"
            path.write_bytes((put / value["oid"]).read_bytes() if large else base64.b64decode(value["content"]))
        return JSONResponse({"commitUrl": f"{request.base_url}{name}/commit/main", "commitOid": "0" * 40})

    of = "{owner}/{name}"
    return [
        Route("/api/repos/create", create, methods=["POST"]),
        Route("/api/validate-yaml", validate, methods=["POST"]),
        Route(f"/api/models/{of}/preupload/{{revision}}", preupload, methods=["POST"]),
        Route("/{owner}/{name}.git/info/lfs/objects/batch", batch, methods=["POST"]),
        Route("/lfs/{sha256}", content, methods=["PUT"]),
        Route(f"/api/models/{of}/commit/{{revision}}", commit, methods=["POST"]),
    ]
