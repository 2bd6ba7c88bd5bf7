"""What a builder may ask, and what becomes of the actions that it asks for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from build_talks import (
    CODE,
    LAYERED,
    RESOLVE,
    TALK,
    broke_off,
    build,
    failing,
    finish,
    hanging,
    of,
    raw,
    with_error,
    with_shared_layer,
)
from builders import (
    FakeBuilder,
    FakeLauncher,
    Script,
    services,
    services_of,
)

from auto_lambda.errors import AppError, Code
from auto_lambda.tools import ToolError
from worker.builds.conversation import BuildTrouble

# ------------------------------------------------------------ questions


def test_hundreds_of_questions_at_once_are_answered(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        def ask() -> None:
            for number in range(300):
                builder.tell("ask", ask=number, action={"kind": "resolve", "inputs": {"n": number % 3}})

        asking = threading.Thread(target=ask)
        asking.start()
        answers = [builder.hear().content for _ in range(300)]
        asking.join()
        good = sorted(one["answer"] for one in answers) == list(range(300)) and all(one["folder"] for one in answers)
        builder.built({"code.zip": b"good" if good else b"bad"})

    launcher = FakeLauncher(of(script))
    assert build(tmp_path, services_of(tmp_path, launcher)).code.path.read_bytes() == b"good"
    assert len(launcher.launched) == 4


def test_questions_of_who_dies_are_not_worked_on(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        for number in range(100):
            builder.tell("ask", ask=number, action={"kind": "resolve", "inputs": {"n": number}})

    def wait_long(builder: FakeBuilder) -> None:
        builder.hear()

    launcher = FakeLauncher(of(script, resolve=wait_long))
    with pytest.raises(AppError) as raised:
        build(tmp_path, services_of(tmp_path, launcher))
    assert raised.value.code == Code.BUILDER_BROKE_OFF
    assert len(launcher.launched) <= 2 * (1 + 8)
    assert [one.ended for one in launcher.launched] == [1] * len(launcher.launched)


def test_no_more_is_read_than_can_be_worked_on(tmp_path: Path) -> None:
    sent: list[int] = []

    def script(builder: FakeBuilder) -> None:
        for number in range(200):
            builder.tell("ask", ask=number, action={"kind": "resolve", "inputs": {"x": "y" * 100_000}})
            sent.append(number)

    with pytest.raises(AppError) as raised:
        build(tmp_path, services(tmp_path, of(script, resolve=hanging), seconds=0.7))
    assert raised.value.code == Code.TOOK_TOO_LONG
    assert len(sent) < 40  # 16 that wait, and what the socket and the channel's buffer hold


def test_who_ends_well_with_open_questions_is_not_kept_waiting(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action=RESOLVE)
        finish(builder)

    result = build(tmp_path, services(tmp_path, of(script, resolve=hanging)))
    assert result.code.path.read_bytes() == CODE


def test_a_builder_that_takes_no_answers(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        for number in range(5000):
            builder.tell("ask", ask=number, action=RESOLVE)
        builder.connection.close()

    with pytest.raises(AppError) as raised:
        build(tmp_path, services(tmp_path, of(script), seconds=0.5))
    assert raised.value.code in (Code.TOOK_TOO_LONG, Code.BUILDER_BROKE_OFF)


@pytest.mark.parametrize("number", [0, -1, 1, 10**30])
def test_an_answer_has_the_number_of_its_question(tmp_path: Path, number: int) -> None:
    def script(builder: FakeBuilder) -> None:
        for _ in range(2):
            builder.tell("ask", ask=number, action=RESOLVE)
        numbers = {builder.hear().content["answer"] for _ in range(2)}
        builder.built({"code.zip": str(numbers).encode()})

    assert build(tmp_path, services(tmp_path, of(script))).code.path.read_bytes() == str({number}).encode()


@pytest.mark.parametrize("kind", ["resolve", "expand", "check", "layer"])
def test_a_builder_of_a_layer_may_ask_for_wheels_only(tmp_path: Path, kind: str) -> None:
    def layer(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action={"kind": kind, "inputs": {}})
        builder.hear()

    launcher = FakeLauncher(of(with_error, layer=layer))
    with pytest.raises(AppError) as raised:
        build(tmp_path, services_of(tmp_path, launcher))
    assert raised.value.code == Code.BUILDER_BROKE_OFF
    assert "may not ask" in raised.value.message


def test_a_python_that_this_machine_does_not_have(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        builder.tell("tool", ask=1, name="compiler", python="3.99")
        builder.tell("trouble", text=builder.hear().content["trouble"])

    with pytest.raises(BuildTrouble, match=r"ToolError: this machine has no python3\.99"):
        build(tmp_path, services(tmp_path, script))


def test_an_error_that_is_no_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(builder: FakeBuilder) -> None:
        builder.tell("tool", ask=1, name="compiler", python="3.12")
        builder.tell("trouble", text=builder.hear().content["trouble"])

    served = services(tmp_path, script)
    monkeypatch.setattr(served.machine.tools, "python", lambda *_: (_ for _ in ()).throw(ToolError("\udcff")))
    with pytest.raises(BuildTrouble, match=r"ToolError: \?"):
        build(tmp_path, served)


LAYERS: dict[str, Script] = {
    "dies": lambda _: None,
    "garbage": raw(b"garbage\n"),
    "half a line": raw(b"{"),
    "an app": finish,
    "a step": lambda builder: builder.tell("step", step="unpack"),
    "a target": lambda builder: builder.channel.send(TALK[3]),
    "no files": lambda builder: builder.done({}),
    "a file too few": lambda builder: builder.done({**LAYERED, "x": b""}),
    "another file": lambda builder: builder.done({name: LAYERED[name] for name in list(LAYERED)[1:]}),
    "a bad tree": lambda builder: builder.done({**LAYERED, "tree.index": b'[["../x",3,false]]'}),
    "a link's tree": lambda builder: builder.done({**LAYERED, "tree.index": b'[["python/six.py",3,false,"/etc"]]'}),
    "too large": lambda builder: builder.done({**LAYERED, "meta.json": b" " * (2**20 + 1)}),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_an_action_whose_builder_breaks_off_twice_is_the_uploads_fault(tmp_path: Path, layer: str) -> None:
    launcher = FakeLauncher(of(with_error, layer=LAYERS[layer]))
    with pytest.raises(AppError) as raised:
        build(tmp_path, services_of(tmp_path, launcher))
    assert raised.value.code == Code.BUILDER_BROKE_OFF
    assert len(launcher.launched) == 3
    assert [path for path in (tmp_path / "actions" / "layer").iterdir() if path.suffix != ".making"] == []


def test_an_action_that_breaks_off_once_is_tried_again(tmp_path: Path) -> None:
    scripts: list[Script] = [of(with_shared_layer), lambda _: None, of(with_shared_layer)]
    assert build(tmp_path, services(tmp_path, *scripts)).layer


def test_what_an_action_finds_wrong_reaches_the_upload(tmp_path: Path) -> None:
    with pytest.raises(AppError) as raised:
        build(tmp_path, services(tmp_path, of(with_error, layer=failing("requirements-conflict"))))
    assert raised.value.code == Code.REQUIREMENTS_CONFLICT


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("builder.dependencies.uv.IndexTrouble: no index", "IndexTrouble: no index"),
        ("OSError: [Errno 28] No space left on device: '/var/lib/x/y'\n", "No space left on device: a file"),
    ],
)
def test_an_uploader_reads_no_traceback_of_ours(tmp_path: Path, error: str, said: str) -> None:
    text = f'Traceback (most recent call last):\n  File "/opt/builder/uv.py", line 1, in f\n{error}'
    layer: Script = lambda builder: builder.tell("trouble", text=text)  # noqa: E731
    with pytest.raises(BuildTrouble, match=said) as raised:
        build(tmp_path, services(tmp_path, of(with_error, layer=layer)))
    assert "/" not in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_an_actions_trouble_is_ours(tmp_path: Path) -> None:
    layer: Script = lambda builder: builder.tell("trouble", text="no index")  # noqa: E731
    with pytest.raises(BuildTrouble, match="no index"):
        build(tmp_path, services(tmp_path, of(with_error, layer=layer)))


def test_a_layer_that_another_upload_was_given_is_nobody_elses(tmp_path: Path) -> None:
    keys: list[str] = []

    def first(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action={"kind": "layer", "inputs": {}})
        keys.append(builder.hear().content["key"])
        builder.built({"code.zip": CODE}, shared_layer=keys[0])

    def second(builder: FakeBuilder) -> None:
        builder.built({"code.zip": CODE}, shared_layer=keys[0])

    assert build(tmp_path, services(tmp_path, of(first))).layer
    assert "was not given" in broke_off(tmp_path, second)


def test_a_key_of_another_kind_is_no_layer(tmp_path: Path) -> None:
    def script(builder: FakeBuilder) -> None:
        builder.tell("ask", ask=1, action=RESOLVE)
        builder.built({"code.zip": CODE}, shared_layer=builder.hear().content["key"])

    assert "was not given" in broke_off(tmp_path, script)


class Counted:
    """Counts who is in it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


def test_builders_of_one_upload_are_few_and_none_waits_for_ever(tmp_path: Path) -> None:
    """Each layer asks for wheels, while other layers take up the room."""
    counted = Counted()

    def ask(builder: FakeBuilder, kind: str, inputs: list[dict[str, object]]) -> None:
        for number, one in enumerate(inputs):
            builder.tell("ask", ask=number, action={"kind": kind, "inputs": one})
        for _ in inputs:
            builder.hear()

    def app(builder: FakeBuilder) -> None:
        ask(builder, "layer", [{"n": number} for number in range(8)])
        builder.built({"code.zip": b"good"})

    def work(builder: FakeBuilder) -> None:
        action = builder.request["action"]
        if action is None:
            return app(builder)
        with counted:
            if action["kind"] == "layer":
                names = [f"{action['inputs']['n']}-{number}" for number in range(8)]
                ask(builder, "wheel", [{"key": {"source": name}, "sdist": {"sha256": name}} for name in names])
                return builder.done(LAYERED)
            time.sleep(0.02)
            return builder.tell(
                "failed", problem={"code": str(Code.DEPENDENCY_BUILD_FAILED), "message": "no", "hint": "none"}
            )

    launcher = FakeLauncher(work)
    assert build(tmp_path, services_of(tmp_path, launcher)).code.path.read_bytes() == b"good"
    assert len(launcher.launched) == 1 + 8 + 64
    assert counted.most <= 10
