"""The web server, which drains when it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import socket
from types import FrameType

import uvicorn

from entrypoint import logs
from entrypoint.edge import Edge

_KEEP_ALIVE = 75  # seconds: longer than the load balancer's 60, so that it never sends into a closing connection


def log_as_lines() -> None:
    """Have the server's own warnings and errors logged as lines of JSON."""
    log = logging.getLogger("uvicorn.error")
    log.handlers, log.propagate = [logs.ServerLog(logging.WARNING)], False
    log.addFilter(lambda record: "pgrade request" not in record.msg and "WebSocket library" not in record.msg)


class DrainingServer(uvicorn.Server):
    """Serves an application; SIGTERM begins a drain, and its end the end of the server.

    Args:
        edge: the application.
        health_path: of the app itself, asked once for the log.
    """

    def __init__(self, edge: Edge, health_path: str) -> None:
        super().__init__(
            uvicorn.Config(
                edge,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",  # no Lambda runs it either
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
            )
        )
        log_as_lines()
        self._edge = edge
        self._health_path = health_path
        self._asking: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; an interrupt of a person ends at once."""
        if sig == signal.SIGTERM:
            self._edge.drain()
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and ask the app how it is."""
        await super().startup(sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            logs.say("serving", host=host, port=port)
            self._asking = asyncio.create_task(self._ask_app("127.0.0.1" if host == "0.0.0.0" else host, port))  # noqa: S104

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop."""
        stop = await super().on_tick(counter)
        if self._edge.drained:
            self.config.timeout_graceful_shutdown = max(0, math.floor(self._edge.seconds_left))
            return True
        return bool(stop)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, and wait for what is under way as long as there is time."""
        await super().shutdown(sockets)
        logs.say("stopped")

    async def _ask_app(self, host: str, port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {self._health_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.readline()).decode("latin-1").split()
            writer.close()
        except OSError as error:
            logs.say("app-asked", "warning", path=self._health_path, error=str(error))
            return
        status = answer[1] if len(answer) > 1 else "none"
        logs.say("app-asked", "warning" if status >= "4" else "info", path=self._health_path, status=status)
