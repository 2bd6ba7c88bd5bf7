"""The toolchain that builders are told of, and their way to the package indexes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from auto_lambda.index_settings import build_settings
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.protocol.messages import Index, Toolchain
from worker.builds.socket_folder import SocketFolder, remove_sockets
from worker.index.hosts import Indexes
from worker.index.links import Links
from worker.index.proxy import IndexProxy
from worker.index.upstream import Upstream


class IndexGate:
    """Opens a proxy to the package indexes for each build; credentials stay on this side of it.

    Args:
        indexes: what may be reached; asked for at each build, as tokens are renewed.
        folder: for the sockets, made when missing; by default a new one. A socket's path may have 107 bytes.
    """

    def __init__(self, indexes: Callable[[], Indexes], folder: Path | None = None) -> None:
        self._indexes = indexes
        self._own: SocketFolder | None = None
        if folder is None:
            self._own = SocketFolder()
            folder = self._own.path
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o711)  # whoever knows a socket's name may use it, but nobody can list them
        self._upstream = Upstream()
        self._links = Links()

    @contextmanager
    def open(self, say: Callable[[str], None]) -> Iterator[Index]:
        """Give the way of one build; ``say`` is told each refused address."""

        def refused(host: str) -> None:
            say(f"warning: refused: no way from a build to {host}")

        indexes = self._indexes()
        socket = self.folder / f"{secrets.token_hex(16)}.sock"
        with IndexProxy(socket, indexes, refused, self._upstream, self._links):
            socket.chmod(0o666)
            yield Index(socket=str(socket), environment=indexes.environment(), hosts=sorted(_hosts(indexes)))

    def close(self) -> None:
        """Remove the folder."""
        remove_sockets(self.folder)  # not what systemd has made, which removes it
        if self._own:
            self._own.close()


@dataclass(frozen=True, slots=True)
class Machine:
    """The tools of this machine.

    Attributes:
        tools: makes tool environments.
        sandbox: as the settings have it.
        region: of the pipeline.
        environ: the worker's environment; only harmless settings of uv reach a build.
    """

    tools: ToolEnvironments
    sandbox: str
    region: str
    environ: Mapping[str, str]

    def toolchain(self, index: Index | None) -> Toolchain:
        """Return it as builders are told of it."""
        return Toolchain.model_validate(
            {
                "interpreters": {minor: str(path) for minor, path in interpreters().items()},
                "tools": [str(folder) for folder in self.tools.folders],
                "sandbox": self.sandbox,
                "region": self.region,
                "settings": build_settings(self.environ),
                "index": index,
            }
        )

    def visible(self) -> tuple[Path, ...]:
        """Return the folders that builders need to see of it."""
        homes = {path.parents[1] for path in interpreters().values()}
        certificates = [Path(path) for name in _CERTIFICATES if (path := self.environ.get(name))]
        found = (*homes, *self.tools.folders, *certificates)
        return tuple(path for path in found if path.exists())


_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT")


def _hosts(indexes: Indexes) -> set[str]:
    addresses = (*indexes.urls, *(private.base for private in indexes.private))
    return {host for address in addresses if (host := urlsplit(address).hostname)}
