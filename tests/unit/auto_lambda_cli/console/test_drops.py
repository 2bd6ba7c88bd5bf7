from __future__ import annotations

import hashlib
import io
import json
import socket
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from commands import BUCKET
from console import ConsoleAnswer, Page, eventually
from seen_pipeline import SHOP, SeenPipeline

from auto_lambda_cli.console.context import ConsoleContext, DropLimits
from auto_lambda_cli.packing import zip_folder

MIB = 1024 * 1024
ZIP = b"PK\x03\x04 as good as a zip"


def drop_zip(page: Page, body: bytes, query: str = "name=shop&stage=dev") -> ConsoleAnswer:
    return page.post(f"api/drop?{query}", body, **{"Content-Type": "application/zip"})


def drop_folder(page: Page, files: Mapping[str, str], query: str = "name=shop&stage=dev") -> ConsoleAnswer:
    parts = (json.dumps({"path": name, "size": len(text)}) + "\n" + text for name, text in files.items())
    return page.post(f"api/drop/folder?{query}", "".join(parts).encode())


def stored(pipeline: SeenPipeline) -> bytes:
    return bytes(pipeline.s3.get_object(Bucket=BUCKET, Key=SHOP.key)["Body"].read())


def uploads(pipeline: SeenPipeline) -> int:
    return int(pipeline.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"])


def unfinished(pipeline: SeenPipeline) -> int:
    return len(pipeline.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))


def test_a_zip_reaches_the_bucket_as_it_is(page: Page, pipeline: SeenPipeline) -> None:
    answer = drop_zip(page, ZIP)
    assert answer.status == 201
    assert stored(pipeline) == ZIP
    dropped = answer.json["drop"]
    assert dropped["app"] == {"stage": "dev", "name": "shop"}
    assert (dropped["key"], dropped["size"]) == (SHOP.key, len(ZIP))
    assert dropped["release"] == pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)["VersionId"]


@pytest.mark.parametrize(("size", "parts"), [(8 * MIB, 1), (8 * MIB + 1, 2), (20_000_000, 3)])
def test_a_large_zip_reaches_the_bucket_in_parts(page: Page, pipeline: SeenPipeline, size: int, parts: int) -> None:
    body = (ZIP + bytes(range(256)) * 80_000)[:size]
    assert drop_zip(page, body).status == 201
    assert hashlib.sha256(stored(pipeline)).digest() == hashlib.sha256(body).digest()
    assert pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)["ETag"].endswith(f'-{parts}"')
    assert unfinished(pipeline) == 0


@pytest.mark.parametrize("body", [b"", b"PK", b"<html>", b"\x1f\x8b" * 3_000_000])
def test_what_is_no_zip_is_refused(page: Page, pipeline: SeenPipeline, body: bytes) -> None:
    answer = drop_zip(page, body)
    assert (answer.status, answer.error["code"]) == (400, "bad-zip")
    assert uploads(pipeline) == 0


@pytest.mark.parametrize(
    "query", ["", "name=Shop&stage=dev", "name=shop", "name=shop&stage=a/b", "name=../x&stage=dev"]
)
def test_a_drop_needs_the_name_of_an_app(page: Page, pipeline: SeenPipeline, query: str) -> None:
    for answer in (drop_zip(page, ZIP, query), drop_folder(page, {"app.py": ""}, query)):
        assert (answer.status, answer.error["code"]) == (400, "bad-name")
    assert uploads(pipeline) == 0


def test_an_upload_that_breaks_off_leaves_nothing(page: Page, pipeline: SeenPipeline) -> None:
    head = [
        f"POST /{page.address.token}/api/drop?name=shop&stage=dev HTTP/1.1", f"Host: 127.0.0.1:{page.address.port}",
        *(f"{name}: {value}" for name, value in page.own_headers.items()), "Content-Length: 20000000", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", page.address.port)) as connection:
        connection.sendall("\r\n".join(head).encode() + ZIP + b"x" * 9_000_000)
        assert eventually(lambda: unfinished(pipeline) == 1)
    assert eventually(lambda: unfinished(pipeline) == 0)
    assert drop_zip(page, ZIP, "name=other&stage=dev").status == 201  # it still takes others
    assert [it["Key"] for it in pipeline.s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["apps/dev/other.zip"]


def test_a_folder_is_zipped_without_secrets_and_what_git_ignores(page: Page, pipeline: SeenPipeline) -> None:
    files = {
        "app.py": "x = 1\n", "templates/a.html": "<p>", ".env": "KEY=1", ".gitignore": "*.log\n", "debug.log": "x",
        "node_modules/a.js": "1",
    }  # fmt: skip
    answer = drop_folder(page, files)
    assert answer.status == 201
    with zipfile.ZipFile(io.BytesIO(stored(pipeline))) as archive:
        assert sorted(archive.namelist()) == [".gitignore", "app.py", "templates/a.html"]
        assert archive.read("app.py") == b"x = 1\n"
    left_out = answer.json["drop"]["packing"]["left_out"]
    assert left_out == {"secrets": [".env"], "gitignore": ["debug.log"], "other": ["node_modules/"]}


def test_the_same_folder_gives_the_same_zip_as_the_command(page: Page, pipeline: SeenPipeline, tmp_path: Path) -> None:
    drop_folder(page, {"app.py": "x = 1\n"})
    (tmp_path / "app").mkdir()
    (tmp_path / "app/app.py").write_text("x = 1\n")
    zip_folder(tmp_path / "app", tmp_path / "app.zip")
    assert stored(pipeline) == (tmp_path / "app.zip").read_bytes()


@pytest.mark.parametrize("files", [{}, {".env": "x"}])
def test_a_folder_without_an_app_is_refused(page: Page, pipeline: SeenPipeline, files: dict[str, str]) -> None:
    answer = drop_folder(page, files)
    assert (answer.status, answer.error["code"]) == (400, "cannot-pack")
    assert "/tmp" not in answer.error["message"]
    assert uploads(pipeline) == 0


def test_a_file_that_leads_elsewhere_is_refused(page: Page, pipeline: SeenPipeline) -> None:
    answer = drop_folder(page, {"../../app.py": "x"})
    assert (answer.status, answer.error["code"]) == (400, "bad-request")
    assert uploads(pipeline) == 0


def test_what_is_too_large_is_refused(page: Page, pipeline: SeenPipeline, context: ConsoleContext) -> None:
    context.limits = DropLimits(20, 2, 20)
    for answer in (
        drop_zip(page, ZIP),
        drop_folder(page, {"a": "x" * 30}),
        drop_folder(page, dict.fromkeys("abc", "")),
    ):
        assert (answer.status, answer.error["code"]) == (413, "too-large")
    assert uploads(pipeline) == 0
