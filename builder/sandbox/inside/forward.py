"""Inside the sandbox: offer the proxy's unix socket on a loopback port, then become the parent of the real command.

Usage: forward.py SOCKET COMMAND [ARGUMENT ...]. The command finds the port in ``HTTPS_PROXY`` and ``HTTP_PROXY``. Uses
nothing but the standard library; runs under any Python 3.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _serve(listener: socket.socket, path: str) -> None:
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or small pieces wait for acknowledgements
        proxy = socket.socket(socket.AF_UNIX)
        proxy.connect(path)
        for pair in ((client, proxy), (proxy, client)):
            threading.Thread(target=_copy, args=pair, daemon=True).start()


def main(path: str, *command: str) -> int:
    """Serve while the command runs; its exit code is ours."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=_serve, args=(listener, path), daemon=True).start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    code = subprocess.call(command, env={**os.environ, "HTTPS_PROXY": address, "HTTP_PROXY": address})
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
