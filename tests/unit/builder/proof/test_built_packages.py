"""What is built in the real sandbox, once for a whole fleet, loads as it would on Lambda."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from building import isolating, make_parts, make_source, open_index
from moto import mock_aws

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.model import BuildLog
from builder.actions import ActionResult
from builder.model import Built
from builder.perform import describe_result, perform
from builder.protocol.messages import Action, Index
from worker.builds.action_cache import ActionCache, Received
from worker.builds.wheel_store import BucketWheelStore

BUCKET = "artifacts"
# A library of the system to bring along, and pure Python. Neither has a wheel.
REQUIREMENTS = "psycopg2==2.9.10\ndocopt==0.6.2\n"
APP = (
    "import docopt, psycopg2\nprint('libpq', psycopg2.__libpq_version__)\n"
    "try:\n    psycopg2.connect(host='127.0.0.1', port=9)\nexcept psycopg2.OperationalError as error:\n"
    "    print('asked by libpq:', 'refused' in str(error))\ndef handler(event, context): pass\n"
)


class Worker:
    """Keeps results as a worker does, and has each made by a builder of its own."""

    def __init__(self, cache: ActionCache, index: Index) -> None:
        self._cache = cache
        self._index = index

    def run(self, action: Action, say: BuildLog) -> ActionResult:
        with tempfile.TemporaryDirectory() as folder:
            found = self._cache.result(action, lambda action: self._performed(action, Path(folder), say), say)
        return ActionResult(found.folder, found.key)

    def _performed(self, action: Action, folder: Path, say: BuildLog) -> Received:
        into, work = folder / "into", folder / "work"
        into.mkdir()
        work.mkdir()
        parts = make_parts(folder / "none", isolating(self._index), index=self._index, actions=self)
        perform(action, parts, into, work, say)
        with ExitStack() as opened:
            files = describe_result(into, opened)
            return Received([file for file, _ in files], [os.dup(descriptor) for _, descriptor in files])


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
        source = make_source(tree, "zappa")
        cache = ActionCache(self.folder / worker / "actions", BucketWheelStore(self.store, BUCKET), worker)
        self.said = []
        with open_index(say=self.said.append) as index:
            parts = make_parts(
                self.folder / worker / "none", isolating(index), index=index, actions=Worker(cache, index)
            )
            return parts.dependencies.build(source, (), work, self.said.append)

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
