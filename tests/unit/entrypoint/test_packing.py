"""The packed entrypoint: the same bytes from the same source, for every Python, and verified when fetched."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from flex_task import Bucket, packed, site_of

from auto_lambda.tools import ToolEnvironments, interpreters
from entrypoint.packing import PACKAGES, EntrypointZip, NotPackable, pack
from worker.bundle.flex.tasks import BOOTSTRAP

MOST_BYTES = 400_000


def test_it_is_the_same_for_every_version_of_python() -> None:
    made = {pack(site_of("entrypoint", minor)).sha256 for minor in interpreters()}
    assert made == {packed().sha256}


def test_it_is_named_by_its_content_and_small() -> None:
    entry = packed()
    assert entry.sha256 == hashlib.sha256(entry.content).hexdigest()
    assert entry.key == f"entrypoints/{entry.sha256}.zip"
    assert len(entry.content) < MOST_BYTES


def test_it_has_what_serves_and_its_licences() -> None:
    names = zipfile.ZipFile(io.BytesIO(packed().content)).namelist()
    assert names == sorted(names)
    assert {"__main__.py", "entrypoint/__main__.py", "entrypoint/bridge/application.py"} <= set(names)
    assert {name.partition("/")[0] for name in names if name.endswith("/__init__.py")} == {*PACKAGES, "entrypoint"}
    licensed = {name.partition("-")[0] for name in names if "LICENSE" in name}
    assert set(PACKAGES) == licensed


def test_what_is_compiled_or_missing_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(NotPackable, match="has no a2wsgi"):
        pack(tmp_path)
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    pack(tmp_path)
    (tmp_path / "h11" / "fast.cpython-311-x86_64-linux-gnu.so").touch()
    with pytest.raises(NotPackable, match="compiled"):
        pack(tmp_path)


def fetched(bucket: Bucket, entry: EntrypointZip) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "LAMBDA_RUNTIME_DIR": str(site_of("runtime")), "AWS_REGION": "us-east-1",
               "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket.server_port}", "AWS_ACCESS_KEY_ID": "test",
               "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    python = ToolEnvironments().python("runtime", site_of("runtime").parts[-2].removeprefix("python"))
    argv = [str(python), "-c", BOOTSTRAP, "artifacts", entry.key, entry.sha256]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_a_container_fetches_it_and_runs_it_only_if_it_is_the_deployed_one() -> None:
    bucket = Bucket()
    bucket.objects[f"/artifacts/{packed().key}"] = packed().content
    assert "neither Lambda" in fetched(bucket, packed()).stdout
    bucket.objects[f"/artifacts/{packed().key}"] = packed().content + b"more"
    refused = fetched(bucket, packed())
    assert refused.returncode == 1
    assert "not the one that was deployed" in refused.stderr
    bucket.shutdown()
    bucket.server_close()
