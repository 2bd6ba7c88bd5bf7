"""Serves the console on the loopback address."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from auto_lambda_cli.console.access import ConsoleAddress, make_token
from auto_lambda_cli.console.application import make_app
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.streams import Streams
from auto_lambda_cli.running_stacks import HOST

if "uvicorn" not in sys.modules and (found := importlib.util.find_spec("uvicorn")):
    # The package is not executed, which would load its command line. These two are all that its modules take from it.
    sys.modules["uvicorn"] = package = importlib.util.module_from_spec(found)
    from uvicorn.config import Config
    from uvicorn.server import Server

    package.__dict__.update(Config=Config, Server=Server)
from uvicorn import Config, Server

_GRACE = 2  # seconds for what is being answered when the console ends


class _EndingStreams(Server):
    """Ends the streams first when it ends: it waits for what is being answered, and they never end by themselves."""

    def __init__(self, config: Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.ending.set()
        await super().shutdown(sockets)


class ConsoleServer:
    """One console. Its port is taken when it is made, so `address` is known before it runs.

    Args:
        context: the pipeline.
        port: of the loopback address; None: a free one.
        token: None: a new one.
    """

    def __init__(self, context: ConsoleContext, *, port: int | None = None, token: str | None = None) -> None:
        self._socket = socket.create_server((HOST, port or 0), backlog=64)
        self.address = ConsoleAddress(self._socket.getsockname()[1], token or make_token())
        self.streams = Streams(context)
        config = Config(
            make_app(context, self.address, self.streams),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = _EndingStreams(config, self.streams)

    def run(self) -> None:
        """Serve until `stop` is called. In a thread: in the main one, it would take the signals."""
        asyncio.run(self._server.serve([self._socket]))

    def stop(self) -> None:
        """End it, from any thread."""
        self._server.should_exit = True

    @property
    def started(self) -> bool:
        """Whether it accepts connections."""
        return bool(self._server.started)


@contextmanager
def serving(context: ConsoleContext, *, port: int | None = None, token: str | None = None) -> Iterator[ConsoleAddress]:
    """Serve a console in a thread as long as this lasts.

    Args:
        context: the pipeline.
        port: of the loopback address; None: a free one.
        token: None: a new one.
    """
    server = ConsoleServer(context, port=port, token=token)
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    try:
        yield server.address
    finally:
        server.stop()
        thread.join()
