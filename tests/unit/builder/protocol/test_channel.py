from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from builders import descriptors, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.protocol.channel import MAX_DEPTH, MAX_VALUES, BadMessage, Channel, WireMessage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "descriptors"), JSON, max_size=4)


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@contextlib.contextmanager
def pair(**options: Any) -> Iterator[tuple[socket.socket, Channel]]:
    """A bare socket, and the channel at its other end."""
    theirs, ours = socket.socketpair()
    with theirs, Channel(ours, **options) as channel:
        yield theirs, channel


def line(content: Any, files: int = 0) -> bytes:
    return json.dumps({**content, "descriptors": files}).encode() + b"\n"


def received(channel: Channel, timeout: float | None = 10) -> WireMessage:
    message = channel.receive(timeout)
    assert message is not None
    return message


def all_of(channel: Channel) -> list[WireMessage]:
    return list(iter(lambda: channel.receive(10), None))


@given(messages=st.lists(st.tuples(OBJECTS, st.integers(0, 3)), max_size=5), cuts=st.lists(st.integers(1, 40)))
@settings(deadline=None, max_examples=40)
def test_messages_come_as_they_were_sent_however_the_stream_is_cut(
    messages: list[tuple[dict[str, Any], int]], cuts: list[int]
) -> None:
    with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
        for content, count in messages:
            data = line(content, count)
            if count:
                assert socket.send_fds(theirs, [data[:1]], [file.fileno()] * count) == 1
                data = data[1:]
            for cut in cuts:
                theirs.sendall(data[:cut])
                data = data[cut:]
            theirs.sendall(data)
            with contextlib.closing(received(channel)) as message:
                assert (message.content, len(message.files)) == (content, count)
                assert all(os.path.sameopenfile(one, file.fileno()) for one in message.files)
        theirs.shutdown(socket.SHUT_WR)
        assert channel.receive(10) is None


@given(messages=st.lists(st.tuples(OBJECTS, st.integers(0, 4)), max_size=8))
@settings(deadline=None, max_examples=40)
def test_a_channel_understands_a_channel(messages: list[tuple[dict[str, Any], int]]) -> None:
    with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
        sender = Channel(theirs)
        for content, count in messages:
            sender.send(content, [file.fileno()] * count)
            with contextlib.closing(received(channel)) as message:
                assert (message.content, len(message.files)) == (content, count)


def test_messages_that_came_together_are_taken_one_by_one() -> None:
    with pair() as (theirs, channel):
        theirs.sendall(b"".join(line({"n": number}) for number in range(1000)))
        assert [received(channel).content["n"] for _ in range(1000)] == list(range(1000))


def test_each_message_has_its_own_files() -> None:
    with pair() as (theirs, channel), opened(b"one", b"two", b"three") as files:
        sender = Channel(theirs)
        sender.send({}, files[:1])
        sender.send({})
        sender.send({}, files[1:])
        taken = [received(channel) for _ in range(3)]
        assert [[os.pread(one, 9, 0) for one in message.files] for message in taken] == [
            [b"one"], [], [b"two", b"three"],
        ]  # fmt: skip
        for message in taken:
            message.close()


def test_messages_of_several_threads_are_not_mixed() -> None:
    with pair() as (theirs, channel):
        sender = Channel(theirs)

        def send(number: int) -> None:
            for _ in range(20):
                sender.send({"text": str(number) * 30_000})

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        texts = [received(channel).content["text"] for _ in range(80)]
        for thread in threads:
            thread.join()
    assert all(len(set(text)) == 1 and len(text) == 30_000 for text in texts)


@pytest.mark.parametrize(
    "data",
    [
        b"\n", b"{\n", b"[]\n", b"1\n", b'"x"\n', b"null\n", b"\xff\xfe\n", b"\0\n", b"{}{}\n", b"\x16\x03\x01\x02\n",
        b'{"descriptors": 0\n}\n', b"{}\n",
        b'{"descriptors": null}\n', b'{"descriptors": true}\n', b'{"descriptors": 0.0}\n', b'{"descriptors": "0"}\n',
        b'{"descriptors": -1}\n', b'{"descriptors": 1}\n', b'{"descriptors": 1e400}\n',
        b'{"descriptors": 0, "x": NaN}\n', b'{"descriptors": 0, "x": -Infinity}\n', b'{"descriptors": 0, "x": 1e999}\n',
        b'{"descriptors": 0, "x": "\\ud800"}\n', b'{"descriptors": 0, "\\udfff": 1}\n',
        b'{"descriptors": 0, "x": "\xed\xa0\x80"}\n', b'{"descriptors": 0, "x": "\xc0\x80"}\n',
        '{"descriptors": 0}'.encode("utf-16-le") + b"\n", b"\xef\xbb\xbf" + b'{"descriptors": 0}\n',
        b'{"descriptors": 0, "x": ' + b"9" * 5000 + b"}\n",
        b'{"descriptors": 0, "x": ' + b"[" * 100_000 + b"\n",
        b'{"descriptors": 0, "x": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}\n",
        b'{"descriptors": 0, "x": ' + b'{"x":' * 5000 + b"1" + b"}" * 5000 + b"}\n",
        b'{"descriptors": 0, "x": [' + b"[]," * MAX_VALUES + b"1]}\n",
    ],
    ids=range(33),
)  # fmt: skip
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pair() as (theirs, channel):
        sending = threading.Thread(target=theirs.sendall, args=(data,))
        sending.start()
        with pytest.raises(BadMessage):
            channel.receive(10)
        sending.join()


def test_what_a_message_may_just_hold() -> None:
    nested: Any = 1
    for _ in range(MAX_DEPTH - 2):
        nested = [nested]
    contents = ({"x": nested}, {"x": [1] * (MAX_VALUES - 100)}, {"x": "\U0001f600é\\ud800"}, {"x": 10**4000})
    for content in contents:
        with pair() as (theirs, channel):
            sending = threading.Thread(target=theirs.sendall, args=(line(content),))
            sending.start()
            assert received(channel).content == content
            sending.join()


@given(data=st.binary(max_size=200))
@settings(deadline=None)
def test_arbitrary_bytes_are_refused_or_end(data: bytes) -> None:
    with pair() as (theirs, channel):
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            assert (channel.receive(10) is None) == (data == b"")
        except BadMessage:
            assert data


def test_a_connection_that_ends_at_any_byte() -> None:
    data = line({"event": "log", "text": "é" * 10}) * 2
    for length in range(len(data)):
        with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
            if length:
                socket.send_fds(theirs, [data[:length]], [file.fileno()])
            theirs.shutdown(socket.SHUT_WR)
            if length % (len(data) // 2) == 0:
                assert len(all_of(channel)) == length // (len(data) // 2)
            else:
                with pytest.raises(BadMessage, match="cut off"):
                    all_of(channel)


def test_a_connection_that_is_reset_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with Channel(ours) as channel:
            assert not channel.is_open()
            assert channel.receive(10) is None


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_message_that_is_too_large(end: bytes) -> None:
    with pair(max_message=1000) as (theirs, channel):
        theirs.sendall(b'{"descriptors":0,"x":"' + b"x" * 2000 + b'"}' + end)
        with pytest.raises(BadMessage, match="more than 1,000 bytes"):
            channel.receive(10)


def test_a_message_of_just_the_size_that_is_taken() -> None:
    data = line({"x": "y"})
    with pair(max_message=len(data) - 1) as (theirs, channel):
        theirs.sendall(data)
        assert received(channel).content == {"x": "y"}
    with pair(max_message=len(data) - 2) as (theirs, channel):
        theirs.sendall(data)
        with pytest.raises(BadMessage, match="more than"):
            channel.receive(10)


def test_too_much_in_all() -> None:
    data = line({"x": "y"})
    with pair(max_total=10 * len(data)) as (theirs, channel):
        for _ in range(10):
            theirs.sendall(data)
            received(channel)
        theirs.sendall(b"{")
        with pytest.raises(BadMessage, match="too much"):
            channel.receive(10)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_more_files_than_may_be_on_their_way(rounds: int) -> None:
    with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
        for _ in range(rounds):
            socket.send_fds(theirs, [line({})], [file.fileno()] * (20 // rounds + 1))
        with pytest.raises(BadMessage, match="files"):
            all_of(channel)


def test_files_that_a_message_did_not_name_stay_until_the_end_and_no_longer() -> None:
    with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
        socket.send_fds(theirs, [line({}), line({}, 2)], [file.fileno()])
        assert received(channel).files == ()
        with pytest.raises(BadMessage, match="did not come with it"):
            channel.receive(10)


def test_a_message_without_its_files() -> None:
    with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
        socket.send_fds(theirs, [line({}, 2)], [file.fileno()])
        with pytest.raises(BadMessage, match="did not come with it"):
            channel.receive(10)


def test_nothing_comes_in_time_and_the_rest_comes_later() -> None:
    data = line({"x": "y"})
    with pair() as (theirs, channel):
        for piece in (data[:1], data[1:5], data[5:]):
            with pytest.raises(TimeoutError):
                channel.receive(0.01)
            theirs.sendall(piece)
        assert received(channel).content == {"x": "y"}


def test_time_is_up_while_the_other_side_sends_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with pair() as (theirs, channel):
        now = 0.0

        def clock() -> float:
            nonlocal now
            now += 1
            assert now < 1000
            theirs.send(b" ")
            return now

        monkeypatch.setattr("builder.protocol.channel.time.monotonic", clock)
        with pytest.raises(TimeoutError):
            channel.receive(10)


def test_a_message_in_small_pieces_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # A search from the start for each piece is quadratic: it would take this buffer's bytes far more than once.
    class Counting(bytearray):
        searched = 0

        def find(self, what: Any, start: Any = 0, end: Any = None) -> int:
            Counting.searched += len(self) - start
            return super().find(what, start)

    with pair() as (theirs, channel):
        monkeypatch.setattr(channel, "_buffer", Counting())
        data = line({"x": "y" * 20_000})
        for start in range(0, len(data), 100):
            theirs.sendall(data[start : start + 100])
            if start + 100 < len(data):
                with pytest.raises(TimeoutError):
                    channel.receive(0)
        assert received(channel).content == {"x": "y" * 20_000}
    assert Counting.searched < 3 * len(data)


def test_whether_it_is_open() -> None:
    with pair() as (theirs, channel):
        assert channel.is_open()
        theirs.sendall(line({}))
        assert channel.is_open()
        received(channel)
        theirs.close()
        assert not channel.is_open()
        channel.close()
        channel.close()
        assert not channel.is_open()


def test_sending_to_who_is_gone() -> None:
    with pair() as (theirs, channel):
        theirs.close()
        with pytest.raises(OSError, match="Broken pipe"):
            channel.send({})


def test_who_has_got_all_may_be_gone_before_the_sender_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    send_fds = socket.send_fds

    def send_and_lose(*arguments: Any) -> int:
        sent = send_fds(*arguments)
        theirs.close()
        return sent

    monkeypatch.setattr(socket, "send_fds", send_and_lose)
    with pair() as (theirs, channel), tempfile.TemporaryFile() as file:
        channel.send({}, [file.fileno()])


def test_sending_to_who_takes_nothing() -> None:
    with pair(send_seconds=0.05) as (_, channel), pytest.raises(OSError, match="temporarily unavailable"):
        channel.send({"x": "y" * 5_000_000})


def test_a_shutdown_ends_a_send_and_a_receive_of_other_threads() -> None:
    with pair() as (_, channel):
        ended: list[str] = []

        def send() -> None:
            try:
                channel.send({"x": "y" * 5_000_000})
            except OSError:
                ended.append("send")

        def receive() -> None:
            if channel.receive() is None:
                ended.append("receive")

        threads = [threading.Thread(target=one) for one in (send, receive)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        channel.shutdown()
        for thread in threads:
            thread.join(10)
    assert sorted(ended) == ["receive", "send"]


def test_descriptors_above_1023_work() -> None:
    with contextlib.ExitStack() as closing:
        file = closing.enter_context(tempfile.TemporaryFile())
        kept: Sequence[int] = [os.dup(file.fileno()) for _ in range(1100)]
        for one in kept:
            closing.callback(os.close, one)
        theirs, channel = closing.enter_context(pair())
        theirs.sendall(line({"x": 1}))
        assert channel.is_open()
        assert received(channel).content == {"x": 1}
