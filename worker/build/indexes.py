"""Which package indexes this machine uses, asked of uv's and pip's own configuration at run time.

The result says two things: what a build must be told so that it finds the indexes through the proxy, and what the proxy
may reach. An index with credentials appears to the build under a made-up host (``index-0.internal``); only the proxy
knows the real address and the credentials.
"""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from pip._internal.models.index import PackageIndex

_DEFAULT = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_EXTRA = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class PrivateIndex:
    """An index whose requests the proxy signs: ``alias`` as the build sees it, ``base`` as it is (no credentials)."""

    alias: str
    base: str
    authorization: str


@dataclass(frozen=True, slots=True)
class Indexes:
    """The package indexes of this machine.

    Attributes:
        urls: simple-API addresses as the build may see them, the default index first.
        reachable: ``host:port`` pairs that a build may open a tunnel to.
        private: the indexes behind made-up hosts.
    """

    urls: tuple[str, ...]
    reachable: frozenset[str]
    private: tuple[PrivateIndex, ...] = ()

    def environment(self) -> dict[str, str]:
        """What tells uv and pip where to look, without a secret in it."""
        default, *extra = self.urls
        environ = {"UV_DEFAULT_INDEX": default, "PIP_INDEX_URL": default}
        if extra:
            environ |= {"UV_INDEX": " ".join(extra), "PIP_EXTRA_INDEX_URL": " ".join(extra)}
        if hosts := " ".join(private.alias for private in self.private):
            environ |= {"UV_INSECURE_HOST": hosts, "PIP_TRUSTED_HOST": hosts}
        return environ


def discover(environ: Mapping[str, str], extra_hosts: Iterable[str] = ()) -> Indexes:
    """Read the configuration: environment variables first, as uv and pip do, then ``pip config``, then the default.

    Args:
        environ: the worker's environment.
        extra_hosts: ``host`` or ``host:port`` pairs that an index hands its files out from.
    """
    configured = _pip_configuration(environ)
    default = _first(environ, _DEFAULT) or configured.get("index-url") or _builtin().simple_url
    extra = " ".join(environ.get(name, "") for name in _EXTRA) + " " + configured.get("extra-index-url", "")
    addresses = [default, *(url for url in extra.split() if urlsplit(url).scheme in _PORTS)]
    hosts = {host if ":" in host else f"{host}:443" for host in extra_hosts}
    if urlsplit(default).hostname == _builtin().netloc:
        hosts.add(f"{_builtin().file_storage_domain}:443")
    return _sort_out(addresses, hosts)


def _sort_out(addresses: list[str], hosts: set[str]) -> Indexes:
    urls: list[str] = []
    private: list[PrivateIndex] = []
    for address in dict.fromkeys(addresses):
        parts = urlsplit(address)
        if parts.username is None:
            urls.append(address)
            hosts.add(f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}")
        else:
            alias = f"index-{len(private)}.internal"
            private.append(PrivateIndex(alias, f"{parts.scheme}://{_netloc(parts)}", _basic(parts)))
            urls.append(urlunsplit(("http", alias, parts.path, parts.query, "")))
    return Indexes(tuple(urls), frozenset(hosts), tuple(private))


def _netloc(parts: SplitResult) -> str:
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _basic(parts: SplitResult) -> str:
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + b64encode(pair.encode()).decode()


def _first(environ: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _builtin() -> PackageIndex:
    from pip._internal.models.index import PyPI

    return PyPI


def _pip_configuration(environ: Mapping[str, str]) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, env=dict(environ), check=False
    )
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in ("global", "install", "user", "site"):
            found[option] = value.strip("'\"").replace("\\n", " ")
    return found
