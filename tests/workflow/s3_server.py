"""An S3 server on loopback: one bucket in memory, one pair of keys, and a line that can be cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR
from threading import Lock, Thread
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

KEY, SECRET = "BLURPLANTEDKEYID4711", "planted/secret+of/the+store/kept+in/no+file0"
BUCKET = "results"
URL = f"s3://{BUCKET}/blur"


class Store:
    """What the server holds, and how many more objects it takes before its line is cut (None: any number)."""

    def __init__(self) -> None:
        self.taken_before_cut: int | None = None
        self.address = ""
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI); after the cut drop the connection without a word."""
        with self._lock:
            if self.taken_before_cut is not None and environ["REQUEST_METHOD"] == "PUT":
                self.taken_before_cut -= 1
            is_cut = self.taken_before_cut is not None and self.taken_before_cut < 0
        if is_cut:
            environ["werkzeug.socket"].shutdown(SHUT_RDWR)  # else the client waits for an answer
            raise ConnectionResetError
        if f"Credential={KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        return self._app(environ, start_response)  # type: ignore[no-any-return]

    def environment(self) -> dict[str, str]:
        """Variables that tell an S3 client where the server is and who asks; it tries once and looks nowhere else."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def objects(self) -> set[str]:
        """Names of all objects."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {found["Key"] for page in pages for found in page.get("Contents", ())}

    def client(self) -> Any:
        """A client of the server."""
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.address, **keys)


@contextmanager
def serving() -> Iterator[Store]:
    """Serve an empty bucket for the length of a block."""
    store = Store()
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=MotoRequestHandler)  # type: ignore[arg-type]
    store.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        store.client().create_bucket(Bucket=BUCKET)
        yield store
    finally:
        server.shutdown()
        server.server_close()
