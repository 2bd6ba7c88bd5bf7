"""A session for a process that should stay small and needs few services."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.loaders import JSONFileLoader, Loader

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from botocore.session import Session


class _Files(JSONFileLoader):
    """Loads botocore's service descriptions without their documentation, into plain dictionaries.

    Botocore loads them whole, into ordered dictionaries, and keeps them as long as a client lives: some 15 MB.
    """

    def load_file(self, file_path: str) -> Any:
        for suffix, read in ((".json", open), (".json.gz", gzip.open)):
            if Path(file_path + suffix).is_file():
                with read(file_path + suffix, "rt", encoding="utf-8") as file:
                    return _read(file.read())
        return None


class _Loader(Loader):
    """Loads the endpoints of a few services only, and of some services only what is called."""

    def __init__(self, services: Collection[str], calls: Mapping[str, Collection[str]]) -> None:
        folders = os.environ.get("AWS_DATA_PATH", "").split(os.pathsep)
        super().__init__([folder for folder in folders if folder], file_loader=_Files())
        self._services = services
        self._calls = calls

    def load_data_with_path(self, name: str) -> Any:
        data, path = super().load_data_with_path(name)
        service, _, file = name.partition("/")
        if name == "endpoints":
            for partition in data["partitions"]:
                partition["services"] = _only(self._services, partition["services"])
        elif file.endswith("/service-2") and service in self._calls:
            data["operations"] = _only(self._calls[service], data["operations"])
        return data, path

    def load_data(self, name: str) -> Any:
        return self.load_data_with_path(name)[0]


class CoreSession:
    """Makes clients as a session of boto3's does, without boto3: they lack its transfers, such as `upload_file`."""

    def __init__(self, core: Session) -> None:
        self._core = core

    @property
    def region_name(self) -> str | None:
        """The region, if one is set."""
        region: str | None = self._core.get_config_variable("region")
        return region

    def client(self, service: str, *, config: Config, endpoint_url: str | None) -> Any:
        """Make a client."""
        return self._core.create_client(service, self.region_name, config=config, endpoint_url=endpoint_url)


def make_core_session(
    region: str | None, endpoint_names: Collection[str], calls: Mapping[str, Collection[str]]
) -> CoreSession:
    """Make a session for a few services, that loads as little as can be.

    Args:
        region: of the services; None: the environment's.
        endpoint_names: those of the services.
        calls: the operations that are called, by the service's name; clients of these services have no others.
    """
    core = _core(endpoint_names, calls)
    if region:
        core.set_config_variable("region", region)
    return CoreSession(core)


def make_lean_session(region: str | None, endpoint_names: Collection[str]) -> boto3.Session:
    """Make a session like `auto_lambda.aws.session.make_session`, for services with these endpoint names only."""
    import boto3

    return boto3.Session(botocore_session=_core(endpoint_names, {}), region_name=region)


def _core(endpoint_names: Collection[str], calls: Mapping[str, Collection[str]]) -> Session:
    import botocore.session

    _share_tls_context()
    core = botocore.session.get_session()
    core.register_component("data_loader", _Loader(endpoint_names, calls))
    return core


@cache
def _share_tls_context() -> None:
    """Let all clients of this process share what each would hold for itself: the certificates of all authorities."""
    from botocore.httpsession import URLLib3Session, create_urllib3_context

    context = create_urllib3_context()
    URLLib3Session._get_ssl_context = lambda _: context  # type: ignore[attr-defined]


def _only(names: Collection[str], among: Mapping[str, Any]) -> dict[str, Any]:
    return {name: among[name] for name in names if name in among}


class _Shapes(dict[str, str]):
    """The shapes of a service, each as JSON until it is asked for: a program uses a few of hundreds."""

    def __getitem__(self, name: str) -> Any:
        return json.loads(super().__getitem__(name))


def _read(text: str) -> dict[str, Any]:
    """Read a description member by member: it never is in memory as a whole, which would leave holes there."""
    return _object(text, text.index("{"), _member)[0]


def _object(text: str, at: int, value: Callable[[str, str, int], tuple[Any, int]]) -> tuple[dict[str, Any], int]:
    """Read the object at a place, each value by a function; return where it ends, too."""
    read = dict[str, Any]()
    at = _after(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        read[name], at = value(name, text, _after(text, at))
        at = _after(text, at)
    return read, at + 1


def _after(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _member(name: str, text: str, at: int) -> tuple[Any, int]:
    if name != "shapes":
        return _DECODER.raw_decode(text, at)
    shapes, end = _object(text, at, _packed)
    return _Shapes(shapes), end


def _packed(_: str, text: str, at: int) -> tuple[str, int]:
    shape, end = _DECODER.raw_decode(text, at)
    return json.dumps(shape, separators=(",", ":")), end


def _lean(entry: dict[str, Any]) -> dict[str, Any]:
    """Build one object of a description, with its often repeated strings interned."""
    lean = {name: sys.intern(value) if isinstance(value, str) else value for name, value in entry.items()}
    if isinstance(lean.get("documentation"), str):
        lean["documentation"] = ""  # botocore requires the attribute
    return lean


_DECODER = json.JSONDecoder(object_hook=_lean)
_BETWEEN = re.compile(r"[\s:,]*")
"""What is between two values."""
