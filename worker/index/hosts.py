"""Which package indexes this machine uses, asked of uv's and pip's own configuration at run time.

The result says two things: what a build must be told so that it finds the indexes through the proxy, and what the proxy
may reach. An index with credentials appears to the build under a made-up host (``index-0.internal``); only the proxy
knows the real address and the credentials.
"""

from __future__ import annotations

import netrc
import re
import tomllib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from worker.index.pip_configuration import PipConfiguration

if TYPE_CHECKING:
    from pip._internal.models.index import PackageIndex

_DEFAULT = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_EXTRA = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_PORTS = {"https": 443, "http": 80}
_PROJECT = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")  # PEP 508; or none
_NAMED = re.compile(r"([A-Za-z0-9._-]+)=(\w+://.*)")


def is_plain(path: str) -> bool:
    """Tell whether every server reads a path as the same one: nothing is encoded twice, or leads upwards."""
    plain = unquote(path)
    odd = "%" in plain or "\\" in plain or not plain.isprintable()  # encoded twice, or read as a slash by some
    return not odd and not {".", ".."} & set(plain.split("/"))


@dataclass(frozen=True, slots=True)
class PrivateIndex:
    """An index whose requests the proxy signs.

    Attributes:
        alias: the host as the build sees it.
        base: scheme and host as they are, without credentials.
        authorization: the header that signs a request.
        folder: the path of its pages, with a slash at its end.
    """

    alias: str
    base: str
    authorization: str
    folder: str = "/"

    def has_page(self, path: str) -> bool:
        """Tell whether a request's path is that of the list of projects, or of the page of one."""
        below = path.removeprefix(self.folder).removesuffix("/")
        return path.startswith(self.folder) and bool(_PROJECT.fullmatch(below)) and path != f"{self.folder}/"

    def holds(self, path: str) -> bool:
        """Tell whether a request's path lies below the folder, however it is written."""
        return path.startswith(self.folder) and is_plain(path)


@dataclass(frozen=True, slots=True)
class Indexes:
    """The package indexes of this machine.

    Attributes:
        urls: simple-API addresses as the build may see them, the default index first.
        reachable: ``host:port`` pairs that a build may open a tunnel to.
        private: the indexes behind made-up hosts.
        names: what the configuration calls an index, by its address in ``urls``.
    """

    urls: tuple[str, ...]
    reachable: frozenset[str]
    private: tuple[PrivateIndex, ...] = ()
    names: Mapping[str, str] | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables that tell uv and pip where to look; no secret is in them."""
        default, *extra = self.urls
        environ = {"UV_DEFAULT_INDEX": self._named(default), "PIP_INDEX_URL": default}
        if extra:
            environ |= {"UV_INDEX": " ".join(map(self._named, extra)), "PIP_EXTRA_INDEX_URL": " ".join(extra)}
        if hosts := " ".join(private.alias for private in self.private):
            environ |= {"UV_INSECURE_HOST": hosts, "PIP_TRUSTED_HOST": hosts}
        return environ

    def _named(self, url: str) -> str:
        name = (self.names or {}).get(url)
        return f"{name}={url}" if name else url


@dataclass(frozen=True, slots=True)
class _Configured:
    """An index as the machine's configuration has it."""

    address: str
    name: str | None = None


def discover(
    environ: Mapping[str, str],
    extra_hosts: Iterable[str] = (),
    pip_options: Callable[[], Mapping[str, str]] | None = None,
) -> Indexes:
    """Read the configuration: environment variables first, then uv's file, then pip's, then the default.

    Credentials come from the address, from ``UV_INDEX_<NAME>_USERNAME`` and ``_PASSWORD``, or from netrc.

    Args:
        environ: the worker's environment.
        extra_hosts: ``host`` or ``host:port`` pairs that an index hands its files out from.
        pip_options: what pip's configuration says, by default asked of pip now.
    """
    pip = (pip_options or PipConfiguration(environ).options)()
    uv_default, uv_extra = _uv_configuration(environ)
    default = _configured(_first(environ, _DEFAULT)) or uv_default or _configured(pip.get("index-url"))
    default = default or _Configured(_builtin().simple_url)
    extra = [_configured(word) for name in _EXTRA for word in re.split(r"[\s,]+", environ.get(name, ""))]
    extra += [*uv_extra, *(_configured(word) for word in pip.get("extra-index-url", "").split())]
    wanted = [default, *(one for one in extra if one and urlsplit(one.address).scheme in _PORTS)]
    hosts = {host if ":" in host else f"{host}:443" for host in extra_hosts}
    if urlsplit(default.address).hostname == _builtin().netloc:
        hosts.add(f"{_builtin().file_storage_domain}:443")
    return _sort_out([_signed(one, environ) for one in dict.fromkeys(wanted)], hosts)


def _sort_out(wanted: list[_Configured], hosts: set[str]) -> Indexes:
    urls: dict[str, str | None] = {}
    private: list[PrivateIndex] = []
    for one in wanted:
        parts = urlsplit(one.address)
        url = urlunsplit(parts._replace(netloc=_netloc(parts)))
        if parts.username is None:
            hosts.add(f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}")
        else:
            alias = f"index-{len(private)}.internal"
            base = f"{parts.scheme}://{_netloc(parts)}"
            private.append(PrivateIndex(alias, base, _basic(parts), f"{parts.path.rstrip('/')}/"))
            url = urlunsplit(("http", alias, parts.path, parts.query, ""))
        urls.setdefault(url, one.name)
    names = {url: name for url, name in urls.items() if name}
    return Indexes(tuple(urls), frozenset(hosts), tuple(private), names)


def _configured(word: str | None) -> _Configured | None:
    """An address as uv's variables have it, with or without ``name=`` before it."""
    if not word:
        return None
    named = _NAMED.fullmatch(word)
    return _Configured(named[2], named[1]) if named else _Configured(word)


def _signed(one: _Configured, environ: Mapping[str, str]) -> _Configured:
    """Return the index with its credentials in the address, wherever they come from."""
    parts = urlsplit(one.address)
    if parts.password is not None or parts.scheme not in _PORTS:
        return one
    prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", (one.name or "").upper())
    user, password = environ.get(f"{prefix}_USERNAME"), environ.get(f"{prefix}_PASSWORD")
    if not one.name or not (user or password):
        user, password = _from_netrc(str(parts.hostname), environ)
    if not (user or password):
        return one
    pair = f"{quote(user or unquote(parts.username or ''), safe='')}:{quote(password or '', safe='')}"
    return replace(one, address=urlunsplit(parts._replace(netloc=f"{pair}@{_netloc(parts)}")))


def _from_netrc(host: str, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    path = environ.get("NETRC") or str(Path(environ.get("HOME") or Path.home()) / ".netrc")
    try:
        found = netrc.netrc(path).hosts.get(host)
    except (OSError, netrc.NetrcParseError):
        return None, None
    return (found[0], found[2]) if found else (None, None)


def _netloc(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    return f"{host}:{parts.port}" if parts.port else host


def _basic(parts: SplitResult) -> str:
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + b64encode(pair.encode()).decode()


def _first(environ: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _builtin() -> PackageIndex:
    from pip._internal.models.index import PyPI

    return PyPI


def _uv_configuration(environ: Mapping[str, str]) -> tuple[_Configured | None, list[_Configured]]:
    """Return the default index, if one is named, and the others of uv's configuration file."""
    found = next((data for path in _uv_files(environ) if (data := _toml(path))), {})
    entries = [entry for entry in found.get("index", []) if isinstance(entry, dict) and entry.get("url")]
    default = [_Configured(entry["url"], entry.get("name")) for entry in entries if entry.get("default")]
    extra = [_Configured(entry["url"], entry.get("name")) for entry in entries if not entry.get("default")]
    older = {**found, **found.get("pip", {})}
    extra += [_Configured(url) for url in older.get("extra-index-url", [])]
    return next(iter(default), None) or _configured(older.get("index-url")), extra


def _uv_files(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("UV_NO_CONFIG"):
        return
    if chosen := environ.get("UV_CONFIG_FILE"):
        yield Path(chosen)
        return
    home = Path(environ.get("HOME") or Path.home())
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    yield Path("/etc/uv/uv.toml")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
