"""A session for a process that should stay small and needs few services."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.loaders import JSONFileLoader, Loader

if TYPE_CHECKING:
    import boto3


class _Files(JSONFileLoader):
    """Loads botocore's service descriptions without their documentation, into plain dictionaries.

    Botocore loads them whole, into ordered dictionaries, and keeps them as long as a client lives: some 15 MB.
    """

    def load_file(self, file_path: str) -> Any:
        for suffix, read in ((".json", open), (".json.gz", gzip.open)):
            if Path(file_path + suffix).is_file():
                with read(file_path + suffix, "rt", encoding="utf-8") as file:
                    return json.load(file, object_hook=_lean)
        return None


class _Loader(Loader):
    """Loads the endpoints of a few services only."""

    def __init__(self, services: Collection[str]) -> None:
        folders = os.environ.get("AWS_DATA_PATH", "").split(os.pathsep)
        super().__init__([folder for folder in folders if folder], file_loader=_Files())
        self._services = services

    def load_data_with_path(self, name: str) -> Any:
        data, path = super().load_data_with_path(name)
        if name == "endpoints":
            for partition in data["partitions"]:
                known = partition["services"]
                partition["services"] = {service: known[service] for service in self._services if service in known}
        return data, path

    def load_data(self, name: str) -> Any:
        return self.load_data_with_path(name)[0]


def make_lean_session(region: str | None, endpoint_names: Collection[str]) -> boto3.Session:
    """Make a session like `auto_lambda.aws.session.make_session`, for services with these endpoint names only."""
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    core.register_component("data_loader", _Loader(endpoint_names))
    return boto3.Session(botocore_session=core, region_name=region)


def _lean(entry: dict[str, Any]) -> dict[str, Any]:
    """Build one object of a description, with its often repeated strings interned."""
    lean = {name: sys.intern(value) if isinstance(value, str) else value for name, value in entry.items()}
    if isinstance(lean.get("documentation"), str):
        lean["documentation"] = ""  # botocore requires the attribute
    return lean
