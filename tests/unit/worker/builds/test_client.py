"""What a builder may end with, and what is taken of it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from build_talks import (
    CODE,
    LAYER,
    broke_off,
    build,
    failing,
    finish,
    of,
    talking,
    with_shared_layer,
)
from builders import (
    REQUEST,
    FakeBuilder,
    FakeLauncher,
    RecordingListener,
    Script,
    built,
    described,
    opened,
    services,
    services_of,
)
from structlog.testing import capture_logs

from auto_lambda.errors import AppError
from worker.builds.client import check_isolation
from worker.builds.conversation import BuildTrouble
from worker.builds.launcher import BuilderProcess

# ------------------------------------------------------------ a good builder


def test_an_app_is_built(tmp_path: Path) -> None:
    listener = RecordingListener()
    result = build(tmp_path, services(tmp_path, of(talking(end=finish))), listener)
    assert (result.code.path.read_bytes(), result.layer) == (CODE, None)
    assert listener.steps == ["unpack", "inspect", "build", "compile", "prove"]
    assert (listener.said, listener.warnings) == (["unpacked"], ["careful"])
    assert listener.targets == [("chalice", "3.12", "x86_64")]


def test_the_zip_reaches_the_builder_open_and_nothing_else_does(tmp_path: Path) -> None:
    seen: list[Any] = []

    class BuilderProcess:
        def __init__(self) -> None:
            ours, self.theirs = socket.socketpair()
            self.channel = FakeBuilder(ours).channel
            self.thread = threading.Thread(target=self.run)
            self.thread.start()

        def run(self) -> None:
            with contextlib.closing(FakeBuilder(self.theirs).channel) as channel:
                message = channel.receive()
                assert message
                seen.extend([message.content["app"], [os.pread(one, 9, 0) for one in message.files]])
                message.close()

        def alive(self) -> bool:
            return True

        def end(self) -> str:
            self.channel.close()
            self.thread.join()
            return "last words"

    class Launcher:
        def launch(self) -> BuilderProcess:
            return BuilderProcess()

    with pytest.raises(AppError):
        build(tmp_path, services_of(tmp_path, Launcher()))
    assert seen == [REQUEST.model_dump(), [b"zip"]] * 2


def test_an_app_with_a_layer_of_its_own(tmp_path: Path) -> None:
    result = build(tmp_path, services(tmp_path, lambda builder: builder.built({"code.zip": CODE, "layer.zip": LAYER})))
    assert result.layer
    assert result.layer.path.read_bytes() == LAYER


def test_an_app_with_a_shared_layer_which_is_made_once(tmp_path: Path) -> None:
    launcher = FakeLauncher(of(with_shared_layer))
    served, listener = services_of(tmp_path, launcher), RecordingListener()
    for _ in range(2):
        result = build(tmp_path, served, listener)
        assert result.layer
        assert result.layer.path.read_bytes() == LAYER
        assert result.layer.path.is_relative_to(tmp_path / "actions")
    assert len(launcher.launched) == 3
    assert [text[:26] for text in listener.said] == ["dependencies: seen before,"]


def test_what_breaks_off_once_is_tried_again(tmp_path: Path) -> None:
    assert build(tmp_path, services(tmp_path, talking(0), of(talking(end=finish)))).code.path.read_bytes() == CODE


# ------------------------------------------------------------ results that are not what they should be


def sending(*files: tuple[str, bytes, Mapping[str, Any]], descriptors: int | None = None, **fields: Any) -> Script:
    """End with an app whose files are described otherwise than they are."""

    def script(builder: FakeBuilder) -> None:
        with opened(*(content for _, content, _ in files)) as real:
            told = [{**described(name, content), **lie} for name, content, lie in files]
            builder.channel.send(built(files=told, **fields), real[:descriptors])

    return script


GOOD: Mapping[str, Any] = {}
RESULTS: dict[str, Script] = {
    "another hash": sending(("code.zip", CODE, {"sha256": "0" * 64})),
    "another hash of the layer": sending(("code.zip", CODE, GOOD), ("layer.zip", LAYER, {"sha256": "0" * 64})),
    "larger than told": sending(("code.zip", CODE, {"size": 1})),
    "smaller than told": sending(("code.zip", CODE, {"size": 100})),
    "too large": sending(("code.zip", CODE, {"size": 10**12})),
    "another name": sending(("other.zip", CODE, GOOD)),
    "another order": sending(("layer.zip", LAYER, GOOD), ("code.zip", CODE, GOOD)),
    "one more": sending(("code.zip", CODE, GOOD), ("layer.zip", CODE, GOOD), ("more.zip", CODE, GOOD)),
    "the same twice": sending(("code.zip", CODE, GOOD), ("code.zip", CODE, GOOD)),
    "none": sending(),
    "no descriptor": sending(("code.zip", CODE, GOOD), descriptors=0),
    "a descriptor too few": sending(("code.zip", CODE, GOOD), ("layer.zip", LAYER, GOOD), descriptors=1),
    "a layer of nobody": sending(("code.zip", CODE, GOOD), shared_layer="0" * 40),
    "two layers": sending(("code.zip", CODE, GOOD), ("layer.zip", LAYER, GOOD), shared_layer="0" * 40),
}


@pytest.mark.parametrize("result", RESULTS)
def test_a_result_that_lies(tmp_path: Path, result: str) -> None:
    broke_off(tmp_path, RESULTS[result])


def more_descriptors(builder: FakeBuilder) -> None:
    with opened(CODE, CODE) as real:
        builder.channel.send(built(files=[described("code.zip", CODE)]), real)


def too_many_descriptors(builder: FakeBuilder) -> None:
    with opened(*[CODE] * 40) as real:
        builder.channel.send(built(files=[described("code.zip", CODE)]), real)


def files_beside_what_has_none(builder: FakeBuilder) -> None:
    with opened(CODE) as real:
        builder.channel.send({"event": "no such event"}, real)


@pytest.mark.parametrize("script", [more_descriptors, too_many_descriptors, files_beside_what_has_none])
def test_descriptors_that_do_not_belong_there_are_closed(tmp_path: Path, script: Script) -> None:
    broke_off(tmp_path, script)


def instead(open_it: Callable[[Path], int], folder: Path, content: bytes = b"") -> Script:
    def script(builder: FakeBuilder) -> None:
        descriptor = open_it(folder)
        try:
            builder.channel.send(built(files=[described("code.zip", content)]), [descriptor])
        finally:
            os.close(descriptor)

    return script


def fifo(folder: Path) -> int:
    if not (folder / "fifo").exists():
        os.mkfifo(folder / "fifo")
    return os.open(folder / "fifo", os.O_RDWR)


def link(folder: Path) -> int:
    with contextlib.suppress(FileExistsError):
        (folder / "link").symlink_to("/etc/hostname")
    return os.open(folder / "link", os.O_PATH | os.O_NOFOLLOW)


@pytest.mark.parametrize(
    "open_it",
    [
        fifo, link,
        lambda _: os.open("/dev/zero", os.O_RDONLY), lambda _: os.open("/dev/null", os.O_RDONLY),
        lambda _: os.open("/", os.O_RDONLY), lambda _: os.open("/proc/self/environ", os.O_RDONLY),
        lambda folder: os.open(folder / "write-only", os.O_WRONLY | os.O_CREAT),
    ],
    ids=["fifo", "link", "zero", "null", "folder", "environ", "write-only"],
)  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_a_result_that_is_no_plain_file(tmp_path: Path, open_it: Callable[[Path], int], content: bytes) -> None:
    broke_off(tmp_path, instead(open_it, tmp_path, content))


# ------------------------------------------------------------ what a builder says of itself


@pytest.mark.parametrize("code", ["took-too-long", "out-of-memory", "zip-bomb", "app-does-not-import"])
def test_what_a_builder_finds_wrong_is_the_uploads_code(tmp_path: Path, code: str) -> None:
    launcher = FakeLauncher(failing(code))
    with pytest.raises(AppError) as raised:
        build(tmp_path, services_of(tmp_path, launcher))
    assert (raised.value.code, raised.value.message, raised.value.hint) == (code, "m", "h")
    assert len(launcher.launched) == 1


def test_an_error_of_the_builder_that_is_taken_for_the_uploaders_is_logged_with_its_traceback(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        builder.tell("netted", text="Traceback (most recent call last): boom")
        builder.tell("failed", problem={"code": "bad-config", "message": "boom", "hint": "x"})

    with capture_logs() as lines, pytest.raises(AppError):
        build(tmp_path, services(tmp_path, script))
    (line,) = (one for one in lines if one["event"] == "taken for the uploader's error")
    assert "boom" in line["traceback"]


def test_a_trouble_is_ours(tmp_path: Path) -> None:
    with pytest.raises(BuildTrouble, match="no index"):
        build(tmp_path, services(tmp_path, lambda builder: builder.tell("trouble", text="no index")))


# ------------------------------------------------------------ the question whether untrusted code can be isolated


@pytest.mark.parametrize(
    ("answer", "problem"), [(b'{"problem": null}', None), (b'{"problem": "no bwrap"}', "no bwrap")]
)
def test_whether_a_builder_can_isolate(tmp_path: Path, answer: bytes, problem: str | None) -> None:
    assert check_isolation(services(tmp_path, lambda builder: builder.done({"check.json": answer}))) == problem


@pytest.mark.parametrize(
    "script",
    [
        lambda _: None, finish, lambda builder: builder.done({}), lambda builder: builder.done({"check.json": b"{"}),
        lambda builder: builder.done({"check.json": b"[]"}), lambda builder: builder.done({"check.json": b"[" * 9999}),
    ],
)  # fmt: skip
def test_a_builder_that_does_not_say_whether_it_can_isolate(tmp_path: Path, script: Script) -> None:
    with pytest.raises(BuildTrouble, match="no builder answers"):
        check_isolation(services(tmp_path, script))
