"""A builder process: ``python -m builder``, with the connection to its worker as standard input.

It serves one request, then it ends; so does everything that it has started. It holds no right to anything, and looks at
an upload so that the worker need not.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path

from auto_lambda.daemon.descendants import end_descendants
from auto_lambda.errors import AppError
from auto_lambda.redact import Redactor
from builder.compose import compose, make_sandbox
from builder.perform import describe_result, perform
from builder.pipeline import as_message, build_app
from builder.protocol.channel import BadMessage, Channel, WireMessage
from builder.protocol.messages import Action, ActionDone, BuildRequest, read_as
from builder.session import Session
from builder.template_limits import unusable

_SHOWN = 500


def main() -> int:
    """Serve the connection on standard input.

    Returns:
        0, also where the worker wanted nothing: a spare that is not needed.
    """
    with Channel(socket.socket(fileno=os.dup(0))) as channel:
        message = channel.receive()
        if message is None:
            return 0
        work = Path(tempfile.mkdtemp(prefix="build-"))
        try:
            _serve(channel, message, work)
        finally:
            end_descendants()
            shutil.rmtree(work, ignore_errors=True)
    return 0


def _serve(channel: Channel, message: WireMessage, work: Path) -> None:
    redact = Redactor()
    session = Session(channel, redact)
    session.start()
    try:
        request = read_as(BuildRequest, message.content)
        if request.app:
            _build(request, message.files[0], session, work, redact)
        elif request.action:
            _act(request, request.action, session, work)
    except AppError as error:
        session.failed(error)
    except Exception:  # noqa: BLE001 - whatever it is, the worker hears of it and tries again
        session.trouble(traceback.format_exc())


def _build(request: BuildRequest, zip_file: int, session: Session, work: Path, redact: Redactor) -> None:
    assert request.app is not None  # noqa: S101 - by the caller
    parts = compose(request.toolchain, session, session.tool, make_sandbox(request.toolchain, redact))
    try:
        package = build_app(request.app, zip_file, parts, work, session, hide=redact.hide)
        with ExitStack() as opened:
            message, files = as_message(package, opened)
            session.built(message, files)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, BadMessage) as error:
        # A net: what passed every check and still cannot be worked with or passed on came out of the zip, most likely.
        session.netted(traceback.format_exc())
        raise unusable(f"{type(error).__name__}: {error}"[:_SHOWN]) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        session.netted(traceback.format_exc())
        raise unusable("it names a file or a module with more than 255 bytes between slashes or dots") from error


def _act(request: BuildRequest, action: Action, session: Session, work: Path) -> None:
    into, room = work / "result", work / "work"
    into.mkdir()
    room.mkdir()
    on_base = perform(action, compose(request.toolchain, session, session.tool), into, room, session.say, request.base)
    with ExitStack() as opened:
        files = describe_result(into, opened)
        done = ActionDone(files=[file for file, _ in files], on_base=on_base)
        session.done(done, [descriptor for _, descriptor in files])


if __name__ == "__main__":
    sys.exit(main())
