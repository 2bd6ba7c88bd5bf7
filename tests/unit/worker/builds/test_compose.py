"""A machine that cannot isolate untrusted code is told so when the worker starts, not when an upload comes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.settings import WorkerSettings
from worker.builds import compose
from worker.builds.compose import MisconfiguredMachine, make_launcher, open_building
from worker.builds.launcher import DirectLauncher, SocketLauncher
from worker.builds.wheel_store import NoWheelStore


def settings(folder: Path, **more: Any) -> WorkerSettings:
    return WorkerSettings(
        region="eu-west-1", queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/drops",
        uploads_bucket="my-uploads", artifacts_bucket="my-artifacts", table="ledger",
        boundary_arn="arn:aws:iam::123456789012:policy/boundary", cache=folder / "cache", spare_builders=0, **more,
    )  # fmt: skip


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "bwrap" else real(name))


@pytest.mark.usefixtures("no_bubblewrap")
def test_without_bubblewrap_the_worker_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    told = r"bubblewrap is not installed.*AUTO_LAMBDA_SANDBOX=off"
    with pytest.raises(MisconfiguredMachine, match=told), open_building(settings(tmp_path), tmp_path, NoWheelStore()):
        pass


@pytest.mark.usefixtures("no_bubblewrap")
def test_who_wants_no_sandbox_needs_no_bubblewrap(tmp_path: Path) -> None:
    with open_building(settings(tmp_path, sandbox="off"), tmp_path, NoWheelStore()) as building:
        assert building.builds


def test_what_a_builder_finds_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "check_isolation", lambda _: "bubblewrap cannot isolate here: no namespaces")
    with (
        pytest.raises(MisconfiguredMachine, match="no namespaces"),
        open_building(settings(tmp_path), tmp_path, NoWheelStore()),
    ):
        pass


REPLACED = (
    "bubblewrap cannot isolate here: bwrap: Can't bind mount /oldroot/etc/ld.so.cache on /newroot/etc/ld.so.cache"
)


def test_a_file_of_the_system_that_is_replaced_meanwhile_is_mounted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([REPLACED, None])
    monkeypatch.setattr(compose, "check_isolation", lambda _: next(answers))
    with open_building(settings(tmp_path), tmp_path, NoWheelStore()):
        assert next(answers, "asked twice") == "asked twice"


def test_a_file_that_cannot_be_mounted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "check_isolation", lambda _: REPLACED)
    with (
        pytest.raises(MisconfiguredMachine, match=r"ld\.so\.cache"),
        open_building(settings(tmp_path), tmp_path, NoWheelStore()),
    ):
        pass


def test_where_bubblewrap_works_a_real_builder_says_so(tmp_path: Path) -> None:
    with open_building(settings(tmp_path), tmp_path, NoWheelStore()) as building:
        assert building.evictor.actions.is_dir()


def test_systemd_starts_builders_where_its_socket_is_named(tmp_path: Path) -> None:
    assert isinstance(make_launcher("bubblewrap", tmp_path / "builder.sock", tmp_path, ()), SocketLauncher)
    assert isinstance(make_launcher("bubblewrap", None, tmp_path, ()), DirectLauncher)
