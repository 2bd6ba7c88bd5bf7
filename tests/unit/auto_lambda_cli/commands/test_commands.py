"""The commands against a bucket of moto, in this process; tests/e2e runs them against a whole stack."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer.main
from botocore.exceptions import ClientError
from commands import BUCKET, RECEIPT, run
from typer.testing import CliRunner

from auto_lambda import __version__
from auto_lambda.aws.s3 import Head, ObjectMissing, ObjectStore
from auto_lambda_cli.app import app
from auto_lambda_cli.commands import logs
from checker.__main__ import _options

FAILED = {"code": "bad-config", "message": "config.json: line 3", "hint": "Mend line 3."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    (path / "app.py").write_text("app = 1\n")
    return path


def test_live_exits_0_with_the_url_alone_on_stdout(answer: Callable[..., None], folder: Path) -> None:
    answer()
    done = run("deploy", str(folder))
    assert (done.exit_code, done.stdout) == (0, "https://shop.example/\n")
    assert "a setting is ignored" in done.stderr


def test_json_is_the_receipt_alone(answer: Callable[..., None], folder: Path) -> None:
    answer()
    done = run("deploy", str(folder), "--json")
    assert json.loads(done.stdout)["function"] == "shop-dev"


def test_what_is_left_out_of_a_folder_is_told(answer: Callable[..., None], folder: Path) -> None:
    answer()
    for number in range(7):
        (folder / f"{number}.log").write_text("x")
    for name, text in {".env": "A=1", "requirements.txt": "", ".gitignore": "*.log\nrequirements.txt\n"}.items():
        (folder / name).write_text(text)
    done = run("deploy", str(folder), "--json")
    assert "left out, because it may hold secrets: .env\n" in done.stderr
    assert "because .gitignore names it: 0.log, 1.log, 2.log, 3.log, 4.log and 2 more\n" in done.stderr
    assert "packed, although .gitignore names it: requirements.txt\n" in done.stderr
    packing = json.loads(done.stdout)["packing"]
    assert (packing["left_out"]["secrets"], packing["kept"]) == ([".env"], ["requirements.txt"])
    assert len(packing["left_out"]["gitignore"]) == 7


def test_include_packs_it_all_the_same(s3: Any, folder: Path, tmp_path: Path) -> None:
    (folder / ".env").write_text("A=1")
    done = run("deploy", str(folder), "--include", ".env", "--no-wait", "--json")
    assert "packing" not in json.loads(done.stdout)
    s3.download_file(BUCKET, "apps/dev/shop.zip", str(tmp_path / "got.zip"))
    with zipfile.ZipFile(tmp_path / "got.zip") as archive:
        assert archive.namelist() == [".env", "app.py"]


def test_the_commit_travels_with_the_zip(s3: Any, folder: Path) -> None:
    made_from = ["--commit", "9f2c1a7b", "--repository", "acme/shop"]
    assert run("deploy", str(folder), "--no-wait", *made_from).exit_code == 0
    head = s3.head_object(Bucket=BUCKET, Key="apps/dev/shop.zip")
    assert head["Metadata"] == {"commit": "9f2c1a7b", "repository": "acme/shop"}
    assert run("deploy", str(folder), "--no-wait", "--commit", "", "--repository", "").exit_code == 0
    assert s3.head_object(Bucket=BUCKET, Key="apps/dev/shop.zip")["Metadata"] == {}


def test_failed_exits_1_with_what_to_do(answer: Callable[..., None], folder: Path) -> None:
    answer(status="failed", error=FAILED, url=None)
    done = run("deploy", str(folder))
    assert (done.exit_code, done.stdout) == (1, "")
    assert all(text in done.stderr for text in (*FAILED.values(), "auto-lambda logs shop"))


def test_superseded_exits_1(answer: Callable[..., None], folder: Path) -> None:
    answer(status="superseded")
    assert run("deploy", str(folder)).exit_code == 1


def test_not_in_time_exits_3_and_says_how_to_go_on(s3: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = __import__("auto_lambda.drops", fromlist=["follow"]).follow
    clock = iter(range(0, 1000, 10))
    monkeypatch.setitem(follow.__kwdefaults__, "clock", lambda: next(clock))
    monkeypatch.setitem(follow.__kwdefaults__, "sleep", lambda _: time.sleep(0))
    done = run("deploy", str(folder), "--timeout", "30", "--stage", "prod")
    assert done.exit_code == 3
    assert "auto-lambda logs shop --stage prod" in done.stderr


def test_no_wait_leaves_after_the_upload(s3: Any, folder: Path) -> None:
    done = run("deploy", str(folder), "--name", "other", "--stage", "qa", "--no-wait", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["key"]) == (0, "apps/qa/other.zip")
    assert s3.head_object(Bucket=BUCKET, Key="apps/qa/other.zip")["VersionId"] == told["version"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{folder}", "--name", "Not A Name"], "Not A Name"),
        (["{folder}", "--stage", "UP"], "UP"),
        (["{folder}", "--commit", "main"], "--commit 'main'"),
        (["{folder}", "--commit", "9f2c1a7b", "--repository", "acme shop"], "--repository 'acme shop'"),
        (["{folder}/nowhere.zip"], "neither a zip nor a folder"),
        (["{folder}/app.py", "--name", "shop"], "not a zip"),
        (["{zip}", "--name", "shop", "--include", "*"], "--include is for a folder"),
        (["{folder}", "--bucket", "no-such-bucket"], "does not exist"),
    ],
)
def test_wrong_usage_exits_2_and_uploads_nothing(s3: Any, folder: Path, arguments: list[str], told: str) -> None:
    done = run("deploy", *(argument.format(folder=folder, zip=folder / "app.py") for argument in arguments))
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_without_credentials_one_is_told_to_log_in(s3: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.credentials.CredentialResolver.load_credentials", lambda _: None)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    done = run("deploy", str(folder))
    assert done.exit_code == 2
    assert "AWS_PROFILE" in done.stderr


def test_status_lists_live_failed_and_untouched(s3: Any) -> None:
    for name, changes in {"shop": {}, "bad": {"app": "bad", "status": "failed", "error": FAILED}}.items():
        body = json.dumps({**RECEIPT, **changes}).encode()
        s3.put_object(Bucket=BUCKET, Key=f"apps/dev/{name}.receipt.json", Body=body)
    s3.put_object(Bucket=BUCKET, Key="apps/prod/new.zip", Body=b"zip")
    lines = {line.split()[0]: line for line in run("status").stdout.splitlines()}
    assert "https://shop.example/" in lines["shop"]
    assert "2026-01-02 03:04:05" in lines["shop"]
    assert "bad-config: config.json: line 3" in lines["bad"]
    assert "queued" in lines["new"]
    listed = json.loads(run("status", "--json").stdout)
    assert {app["app"]: app["status"] for app in listed} == {"shop": "live", "bad": "failed", "new": "queued"}


def test_status_shows_a_message_to_its_point_and_a_url_in_one_piece(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    error = {"code": "bad-app", "message": "app.py cannot be imported:\n  No module named 'x'", "hint": ""}
    url = f"https://{'a' * 60}.example/"
    told: dict[str, dict[str, Any]] = {
        "bad": {"error": error, "status": "failed", "url": None},
        "shop": {"url": url},
    }
    for name, changes in told.items():
        body = json.dumps({**RECEIPT, "app": name, "function": None, **changes}).encode()
        s3.put_object(Bucket=BUCKET, Key=f"apps/dev/{name}.receipt.json", Body=body)
    _, bad, shop = run("status").stdout.splitlines()
    assert bad.endswith("bad-app: app.py cannot be imported: No module named 'x'")
    assert shop.endswith(url)


def test_status_shows_what_was_raised_however_long_its_traceback_is(s3: Any) -> None:
    frames = '  File "app.py", line 3, in work\n    work()\n' * 100
    message = f"GET / was answered 500:\nTraceback (most recent call last):\n{frames}TypeError: no app"
    fields = {**RECEIPT, "status": "failed", "error": {"code": "unhealthy", "message": message, "hint": ""}}
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(fields).encode())
    assert "unhealthy: GET / was answered 500: TypeError: no app" in run("status").stdout


def test_status_tells_an_undeployed_app_from_a_superseded_zip(s3: Any) -> None:
    fields = {**RECEIPT, "status": "superseded", "serving": None}
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.zip", Body=b"zip")
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(fields).encode())
    assert "superseded" in run("status").stdout
    assert json.loads(run("status", "--json").stdout)[0]["status"] == "superseded"
    s3.delete_object(Bucket=BUCKET, Key="apps/dev/shop.zip")
    assert "undeployed" in run("status").stdout


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)


def test_a_first_drop_needs_no_permission_to_list(
    answer: Callable[..., None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = ObjectStore.get_start

    def get_or_refuse(self: ObjectStore, bucket: str, key: str, at_most: int) -> bytes:
        try:
            return get(self, bucket, key, at_most)
        except ObjectMissing:
            raise denied("GetObject") from None

    monkeypatch.setattr(ObjectStore, "get_start", get_or_refuse)
    answer()
    done = run("deploy", str(folder))
    assert (done.exit_code, done.stdout) == (0, "https://shop.example/\n")
    assert done.stderr.count("s3:ListBucket") == 1


def test_status_shows_a_team_its_own_apps(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("apps/prod/pay-api", "apps/prod/shop"):
        body = json.dumps({**RECEIPT, "app": key.rpartition("/")[2], "stage": "prod"}).encode()
        s3.put_object(Bucket=BUCKET, Key=f"{key}.receipt.json", Body=body)
    get, list_ = ObjectStore.get_start, ObjectStore.list

    def get_own(self: ObjectStore, bucket: str, key: str, at_most: int) -> bytes:
        if "/pay-" not in key:
            raise denied("GetObject")
        return get(self, bucket, key, at_most)

    def list_own(self: ObjectStore, bucket: str, prefix: str) -> Iterator[Head]:
        if not prefix.startswith("apps/prod/pay-"):
            raise denied("ListObjectsV2")
        return list_(self, bucket, prefix)

    monkeypatch.setattr(ObjectStore, "get_start", get_own)
    done = run("status")
    assert (done.exit_code, "pay-api" in done.stdout, "shop  " in done.stdout) == (0, True, False)
    assert "1 app not shown" in done.stderr
    monkeypatch.setattr(ObjectStore, "list", list_own)
    done = run("status")
    assert (done.exit_code, "--prefix STAGE/NAME" in done.stderr) == (2, True)
    assert [app["app"] for app in json.loads(run("status", "--prefix", "prod/pay-", "--json").stdout)] == ["pay-api"]


def test_status_of_nothing_says_what_to_do(s3: Any) -> None:
    done = run("status")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "auto-lambda deploy" in done.stderr


def test_a_log_is_printed_as_it_is(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.log", Body=b"[one]\ntwo\n")
    assert run("logs", "shop").stdout == "[one]\ntwo\n"


def test_no_log_exits_1(s3: Any) -> None:
    assert run("logs", "shop").exit_code == 1


def test_following_a_log_prints_what_is_added_and_ends_with_the_deployment(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(log: bytes, status: str) -> None:
        s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.log", Body=log)
        s3.put_object(
            Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps({**RECEIPT, "status": status}).encode()
        )

    put(b"one\n", "building")
    defaults = logs.print_log.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "sleep", lambda _: put(b"one\ntwo\n", "live"))
    assert run("logs", "shop", "--follow").stdout == "one\ntwo\n"


class LogOfDrops:
    """An app whose zips, receipts and logs are put into the bucket by hand; ``then`` is done at each look."""

    def __init__(self, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._s3 = s3
        self.then: list[Callable[[], None]] = []
        defaults = logs.print_log.__kwdefaults__
        assert defaults
        monkeypatch.setitem(defaults, "sleep", lambda _: self.then.pop(0)())

    def drop(self) -> str:
        return str(self._s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.zip", Body=b"zip")["VersionId"])

    def work(self, version: str, log: str, status: str) -> None:
        told = {**RECEIPT, "status": status, "upload": {"key": "apps/dev/shop.zip", "version": version}}
        self._s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.log", Body=log.encode())
        self._s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.receipt.json", Body=json.dumps(told).encode())


@pytest.fixture
def shop(s3: Any, monkeypatch: pytest.MonkeyPatch) -> LogOfDrops:
    return LogOfDrops(s3, monkeypatch)


def test_following_right_after_a_drop_waits_for_its_log(shop: LogOfDrops) -> None:
    shop.work(shop.drop(), "before\n", "live")
    version = shop.drop()
    shop.then = [
        lambda: None,
        lambda: shop.work(version, "new\n", "building"),
        lambda: shop.work(version, "new\nlive\n", "live"),
    ]
    done = run("logs", "shop", "--follow")
    assert (done.exit_code, done.stdout) == (0, "new\nlive\n")
    assert done.stderr.count("waits for a worker; its log follows") == 1
    assert shop.then == []


def test_following_a_first_drop_waits_for_its_log(shop: LogOfDrops) -> None:
    version = shop.drop()
    shop.then = [lambda: None, lambda: shop.work(version, "new\n", "failed")]
    done = run("logs", "shop", "--follow")
    assert (done.exit_code, done.stdout) == (0, "new\n")
    assert "waits for a worker" in done.stderr


def test_following_goes_on_with_a_drop_that_came_meanwhile(shop: LogOfDrops) -> None:
    first, second = shop.drop(), list[str]()
    shop.work(first, "one\n", "building")

    def superseded() -> None:
        second.append(shop.drop())
        shop.work(first, "one\nsuperseded\n", "superseded")

    shop.then = [superseded, lambda: shop.work(second[0], "two\n", "live")]
    done = run("logs", "shop", "--follow")
    assert (done.exit_code, done.stdout) == (0, "one\nsuperseded\n\ntwo\n")
    assert "waits for a worker" in done.stderr


def test_a_log_is_said_to_be_that_of_the_drop_before(shop: LogOfDrops) -> None:
    shop.work(shop.drop(), "before\n", "live")
    assert "waits" not in run("logs", "shop").stderr
    shop.drop()
    done = run("logs", "shop")
    assert (done.exit_code, done.stdout) == (0, "before\n")
    assert "this is the log of the drop before" in done.stderr
    assert "auto-lambda logs shop --follow" in done.stderr


@pytest.mark.parametrize("options", [(), ("--follow",)])
def test_where_nothing_was_uploaded_nobody_waits_for_a_log(s3: Any, options: tuple[str, ...]) -> None:
    done = run("logs", "shop", *options)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "dev/shop has no log: nothing was uploaded\n")


def test_without_a_log_yet_one_is_told_what_it_waits_for(shop: LogOfDrops) -> None:
    shop.drop()
    done = run("logs", "shop")
    assert (done.exit_code, "waits for a worker" in done.stderr) == (1, True)


def test_a_large_log_is_printed_whole_and_read_in_parts(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = "".join(f"line {number}\n" for number in range(150_000))
    s3.put_object(Bucket=BUCKET, Key="apps/dev/shop.log", Body=whole.encode())
    monkeypatch.setattr(ObjectStore, "get", lambda *_: pytest.fail("the log was read at once"))
    assert run("logs", "shop").stdout == whole


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"auto-lambda {__version__}\n"


PAGES_OF_THEIR_OWN = {"ami", "simulate"}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def test_every_command_is_in_the_reference_with_every_option() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "command-line.md").read_text()
    missing = []
    for path, command in commands(typer.main.get_command(app)):
        name = " ".join(path)
        if path[0] in PAGES_OF_THEIR_OWN:
            continue
        if not (section := section_of(page, path)):
            missing.append(name)
            continue
        options = (option for it in command.params for option in it.opts if option.startswith("--"))
        missing += [f"{name} {option}" for option in options if not re.search(rf"[` ]{option}\b", section)]
    assert missing == []


def section_of(page: str, path: tuple[str, ...]) -> str:
    """The section of a command, or that of its group, which names it."""
    sections = page.split("\n## ")[1:]
    name = " ".join(path)
    own = (it for it in sections if re.match(rf"`auto-lambda {name}[` ]", it))
    groups = (it for it in sections if re.match(rf"`auto-lambda {path[0]}`", it) and f"`{name}" in it)
    return next(chain(own, groups), "")


@pytest.mark.parametrize("daemon", ["worker", "checker"])
def test_a_daemon_has_help_without_any_setting(daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("it was started"))
    done = run(daemon, "--help")
    assert (done.exit_code, "AUTO_LAMBDA_" in done.stdout) == (0, True)


def test_the_checker_gets_its_options_and_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, arguments: started.append(arguments))
    assert run("checker", "--once", "--json", "--dry-run").exit_code == 0
    (arguments,) = started
    assert arguments[1:3] == ["-m", "checker"]
    assert all(vars(_options(arguments[3:])).values())


@pytest.mark.parametrize(
    "options",
    [("--max", "3"), ("--boot-seconds", "1"), ("--fleet", "--workers", "2"), ("--fleet", "--max", "0")],
)
def test_options_of_a_fleet_and_of_a_stack_without_one_do_not_go_together(options: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["local", "up", *options]).exit_code == 2
