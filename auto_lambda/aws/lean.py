"""A session for a process that should stay small and needs few services."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader

if TYPE_CHECKING:
    import boto3


class _Loader(Loader):
    """Loads descriptions of services without what only people read, and the endpoints of a few of them.

    Botocore keeps both in memory as long as a client lives: some 10 MB.
    """

    def __init__(self, services: Collection[str]) -> None:
        super().__init__(os.environ.get("AWS_DATA_PATH"))
        self._services = services

    def load_data_with_path(self, name: str) -> Any:
        data, path = super().load_data_with_path(name)
        if name == "endpoints":
            for partition in data["partitions"]:
                known = partition["services"]
                partition["services"] = {service: known[service] for service in self._services if service in known}
        else:
            _without_documentation(data)
        return data, path

    def load_data(self, name: str) -> Any:
        return self.load_data_with_path(name)[0]


def make_lean_session(region: str, endpoint_names: Collection[str]) -> boto3.Session:
    """As `auto_lambda.aws.session.make_session`, for the services with these endpoint names only."""
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    core.register_component("data_loader", _Loader(endpoint_names))
    return boto3.Session(botocore_session=core, region_name=region)


def _without_documentation(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("documentation"), str):
            node["documentation"] = ""  # botocore insists on there being some
        for value in node.values():
            _without_documentation(value)
    elif isinstance(node, list):
        for value in node:
            _without_documentation(value)
