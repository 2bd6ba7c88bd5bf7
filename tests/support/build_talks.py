"""Conversations between the worker and builders that do as a test says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import (
    REQUEST,
    FakeBuilder,
    FakeLauncher,
    RecordingListener,
    Script,
    services_of,
)

from auto_lambda.errors import AppError, Code
from builder.protocol.messages import Index
from worker.builds.client import Builds, BuiltApp
from worker.builds.conversation import BuilderServices

CODE = b"the code"
LAYER = b"the layer"
RESOLVE = {"kind": "resolve", "inputs": {"lines": ["six"]}}
LAYERED: dict[str, bytes] = {
    "layer.zip": LAYER, "meta.json": b"{}", "binaries.json": b"{}", "tree.index": b'[["python/six.py",3,false]]',
    "tree.content": b"six",
}  # fmt: skip
TALK: list[dict[str, Any]] = [
    {"event": "step", "step": "unpack"},
    {"event": "log", "text": "unpacked"},
    {"event": "step", "step": "inspect"},
    {"event": "recognised", "framework": "chalice", "python": "3.12", "architecture": "x86_64"},
    {"event": "warning", "text": "careful"},
    {"event": "step", "step": "build"},
    {"event": "ask", "ask": 1, "action": RESOLVE},
    {"event": "step", "step": "compile"},
    {"event": "step", "step": "prove"},
]
"""All that a builder tells before its result."""


class Gate:
    """No way to any index."""

    def open(self, _: Callable[[str], None]) -> contextlib.AbstractContextManager[Index]:
        return contextlib.nullcontext(Index(socket="/nowhere", environment={}, hosts=[]))


def build(folder: Path, services: BuilderServices, listener: RecordingListener | None = None) -> BuiltApp:
    (folder / "app.zip").write_bytes(b"zip")
    into = folder / "built"
    into.mkdir(exist_ok=True)
    gate: Any = Gate()
    return Builds(services, gate).build(REQUEST, folder / "app.zip", into, listener or RecordingListener())


def of(app: Script, *, resolve: Script | None = None, layer: Script | None = None) -> Script:
    """A builder for each request: of the app, or of an action."""

    def resolved(builder: FakeBuilder) -> None:
        builder.done({"resolution.json": b"{}"})

    scripts: Mapping[str, Script] = {"resolve": resolve or resolved, "layer": layer or (lambda one: one.done(LAYERED))}

    def script(builder: FakeBuilder) -> None:
        action = builder.request["action"]
        (scripts[action["kind"]] if action else app)(builder)

    return script


def talking(events: int = len(TALK), end: Script | None = None) -> Script:
    """Tell so many events, then end."""

    def script(builder: FakeBuilder) -> None:
        for content in TALK[:events]:
            builder.channel.send(content)
            if content["event"] == "ask":
                builder.hear()
        if end:
            end(builder)

    return script


def finish(builder: FakeBuilder) -> None:
    builder.built({"code.zip": CODE})


def raw(data: bytes) -> Script:
    return lambda builder: builder.connection.sendall(data)


def broke_off(folder: Path, script: Script, means_: BuilderServices | None = None) -> str:
    """Build twice in vain; return the message."""
    launcher = FakeLauncher(of(script))
    listener = RecordingListener()
    with pytest.raises(AppError) as raised:
        build(folder, means_ or services_of(folder, launcher), listener)
    assert raised.value.code == Code.BUILDER_BROKE_OFF
    assert [one.ended for one in launcher.launched] == [1] * len(launcher.launched)
    return raised.value.message


def with_shared_layer(builder: FakeBuilder) -> None:
    builder.tell("ask", ask=1, action={"kind": "layer", "inputs": {}})
    answer = builder.hear().content
    assert (Path(answer["folder"]) / "tree/python/six.py").read_text() == "six"
    builder.built({"code.zip": CODE}, shared_layer=answer["key"])


def failing(code: str) -> Script:
    return lambda builder: builder.tell("failed", problem={"code": code, "message": "m", "hint": "h"})


def flood(data: bytes) -> Script:
    def script(builder: FakeBuilder) -> None:
        while True:
            builder.connection.sendall(data)

    return script


def hanging(builder: FakeBuilder) -> None:
    builder.hear()


def asking(builder: FakeBuilder) -> None:
    builder.tell("ask", ask=1, action=RESOLVE)
    builder.built({"code.zip": b"from " + builder.hear().content["folder"].encode()})


def with_error(builder: FakeBuilder) -> None:
    """Ask for a layer, and fail with the answer's problem, as a real builder does."""
    builder.tell("ask", ask=1, action={"kind": "layer", "inputs": {}})
    answer = builder.hear().content
    if answer["problem"]:
        builder.tell("failed", problem=answer["problem"])
    else:
        builder.tell("trouble", text=answer["trouble"] or "none")
