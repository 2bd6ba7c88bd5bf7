"""A package index of our own that fails as indexes do."""

from __future__ import annotations

import http.server
import io
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

_WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _wheel(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return data.getvalue()


class _Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, kind, name, *_ = f"{self.path}//".split("/")
        if kind == "files":
            self._send(self.server.files_status, _wheel(name.partition("-")[0]), "application/octet-stream")  # type: ignore[attr-defined]
        elif name.startswith("status-"):
            self._send(int(name.partition("-")[2]), b"", "text/html")
        elif name.startswith("cut-off"):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"<a")
            self.close_connection = True
        elif name.startswith("too-large"):  # what nobody reads comes at once, or later
            start = "<b>text</b>\n" * (0 if name.endswith("at-once") else 100_000)
            self._send(200, f"{start}<a {'a ' * 100_000}>".encode(), "text/html")
        elif name in ("demo", "other"):
            self._send(200, f'<a href="/files/{name}-1.0-py3-none-any.whl">x</a>'.encode(), "text/html")
        else:
            self._send(404, b"", "text/html")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def failing_index(certificates: Path | None = None, files_status: int = 200) -> Iterator[str]:
    """Serve ``demo`` and ``other``; ``status-503`` answers with that, ``cut-off`` breaks off, nothing else is known.

    Args:
        certificates: a file for the authority's certificate; with it the index speaks TLS.
        files_status: what files are answered with.
    """
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        server.files_status = files_status  # type: ignore[attr-defined]
        if certificates:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(certificates))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
