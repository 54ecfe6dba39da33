"""Wheels that are made for a test, and an index with a password that has them."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A wheel with a module of its name, which says its version."""
    folder.mkdir(exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {it}" for it in requires]
    information = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{information}/METADATA": "".join(f"{line}\n" for line in lines),
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_sha256(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**files, f"{information}/RECORD": f"{record}{information}/RECORD,,\n"}.items():
            archive.writestr(inner, text)
    return path


def _sha256(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@contextmanager
def served(folder: Path, password: str) -> Iterator[str]:
    """``localhost:PORT`` of an index of the folder's wheels, for whoever has the password."""

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, said = self.headers.get("Authorization", "").partition(" ")
            if kind != "Basic" or base64.b64decode(said).decode() != f"me:{password}":
                self.answer(401, b"")
                return
            parts = [part for part in self.path.split("/") if part]
            if parts[0] == "simple":
                found = folder.glob(f"{parts[1].replace('-', '_')}-*.whl")
                links = "".join(f'<a href="/files/{path.name}">{path.name}</a>' for path in found)
                self.answer(200 if links else 404, links.encode())
            else:
                self.answer(200, (folder / parts[1]).read_bytes())

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            if code == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Type", "text/html" if self.path.startswith("/simple") else "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
