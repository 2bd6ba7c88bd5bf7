"""Inside the sandbox: offer the proxy's unix socket on a loopback port, then become the parent of the real command.

Usage: forward.py SOCKET PORT COMMAND [ARGUMENT ...]. Uses nothing but the standard library; runs under any Python 3.
"""

from __future__ import annotations

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
        proxy = socket.socket(socket.AF_UNIX)
        proxy.connect(path)
        for pair in ((client, proxy), (proxy, client)):
            threading.Thread(target=_copy, args=pair, daemon=True).start()


def main(path: str, port: str, *command: str) -> int:
    """Serve while the command runs; its exit code is ours."""
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    threading.Thread(target=_serve, args=(listener, path), daemon=True).start()
    code = subprocess.call(command)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
