"""What the farm builds in the real sandbox, once for a whole fleet, loads as it would on Lambda."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.keys import App
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.dependencies.builder import Builder
from builder.dependencies.wheel_store import BucketShelf
from builder.index.hosts import discover
from builder.model import Built, Source
from builder.sandbox import cgroups
from builder.sandbox.bubblewrap import BubblewrapSandbox
from builder.sandbox.sandbox import PlainSandbox
from worker.model import Upload

BUCKET = "artifacts"
# A library of the system to bring along, and pure Python. Neither has a wheel.
REQUIREMENTS = "psycopg2==2.9.10\ndocopt==0.6.2\n"
APP = (
    "import docopt, psycopg2\nprint('libpq', psycopg2.__libpq_version__)\n"
    "try:\n    psycopg2.connect(host='127.0.0.1', port=9)\nexcept psycopg2.OperationalError as error:\n"
    "    print('asked by libpq:', 'refused' in str(error))\ndef handler(event, context): pass\n"
)


class Fleet:
    """Workers that share a bucket, and nothing else."""

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        self.folder = folder
        self.store = store
        self.said: list[str] = []

    def build(self, worker: str) -> Built:
        """Build by a worker that has never built anything."""
        tree, work = self.folder / worker / "tree", self.folder / worker / "work"
        tree.mkdir(parents=True)
        work.mkdir()
        (tree / "requirements.txt").write_text(REQUIREMENTS)
        upload = Upload(App("dev", "shop"), "uploads", "apps/dev/shop.zip")
        source = Source(upload, tree, tree, "0" * 64, 1, "zappa", "dev", "3.12", "x86_64")
        homes = {python.parents[1] for python in interpreters().values()} - {Path("/usr")}
        sandbox = BubblewrapSandbox(PlainSandbox(cgroups.find()), homes, lambda: discover(os.environ))
        builder = Builder(
            sandbox, self.folder / worker / "cache", shelf=BucketShelf(self.store, BUCKET), tools=ToolEnvironments(),
            worker=worker,
        )  # fmt: skip
        self.said = []
        return builder.build(source, (), work, self.said.append)

    def told(self, name: str) -> str:
        return next(line for line in self.said if line.startswith(f"{name}: "))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.create_bucket(Bucket=BUCKET)
        yield Fleet(tmp_path / "fleet", ObjectStore(client))


@pytest.mark.skipif(shutil.which("pg_config") is None, reason="needs libpq-dev")
def test_one_worker_builds_all_use_it_and_lambda_would_load_it(fleet: Fleet, proving: Any) -> None:
    built = fleet.build("first")
    assert "no wheel fits" in fleet.told("psycopg2 2.9.10")
    assert any(line.startswith("psycopg2 2.9.10: carries") and "libpq" in line for line in fleet.said)
    records = {
        record["source"]["file"]: record
        for head in fleet.store.list(BUCKET, "wheels/")
        if head.key.endswith("/record.json") and (record := json.loads(fleet.store.get(BUCKET, head.key)))
    }
    assert {name.partition("-")[0] for name in records} == {"psycopg2", "docopt"}
    assert all(record["worker"] == "first" and record["tools"]["auditwheel"] for record in records.values())

    assert not any("hardlink" in line for line in fleet.said), "cache and layers are bound as one"
    assert built.site
    site = {path.relative_to(built.site).as_posix(): path.read_bytes() for path in built.site.rglob("*")
            if path.is_file()}  # fmt: skip
    said: list[str] = []
    assert proving({"app.py": APP}, site=site, said=said).init_ms is not None
    assert "asked by libpq: True" in said

    (poisoned,) = [head.key for head in fleet.store.list(BUCKET, "wheels/") if "docopt" in head.key]
    fleet.store.put(BUCKET, poisoned, b"poison", "application/zip")
    again = fleet.build("second")
    assert fleet.told("psycopg2 2.9.10") == "psycopg2 2.9.10: built before by first"
    assert "spoiled" in fleet.told("docopt 0.6.2")
    assert built.layer
    assert again.layer
    assert built.layer.key == again.layer.key
    assert fleet.store.get(BUCKET, poisoned) != b"poison"
