"""Start functions as Lambda does, with a Runtime API of our own: ``server.py REQUEST RESULT``, two JSON files.

Run in the sandbox by a Python like Lambda's. Request: ``task``, ``layer`` and ``runtime`` (each the folder's place on
Lambda and its real one, for where nothing is isolated; ``layer`` may be null), ``libraries`` (the file names of
Lambda's), ``init_seconds``, and ``starts``, each with ``handler``, ``environment``, ``memory`` (MB), ``seconds`` (for
one event), ``event`` (or null) and ``called`` (name -> dotted path of a function that must exist). In place of
``starts`` it may have ``told``, a file that will hold them as JSON, and ``foreseen``, the ``handler`` and
``environment`` of one of them, or null: that is started at once, and dropped if it is none of them. Result: ``starts``,
each with ``ended``, ``init_ms``, ``peak_mb``, ``status`` (how the process ended, negative for a signal), ``problem``
(what the client reported of an exception, or null), ``answer`` (its first one, null without a status: ``status`` and
``body``), ``printed`` (the end of what it printed since its first event), ``network`` (whether it tried to use one) and
``stack`` (where it was when it had taken too long).

The API: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Measured time excludes waiting for a processor, so that
no function is too slow because this machine is busy.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from watch import SETTLED_SECONDS, OutputTail, ProcessMonitor

del sys.path[0]

CLIENT = Path(__file__).with_name("client.py")
PARALLEL_STARTS = 2
POLL_SECONDS = 0.01  # seconds
HTTP_STATUSES = range(100, 600)
MOST_ANSWERED = 4_000  # characters
MOST_STACK = 64_000  # bytes
STACK_SECONDS = 2.0  # until the first of it is there
TOO_LONG = ("init-time", "event-time")
TOLD_SECONDS = 0.005  # between two looks for the starts


class RuntimeApi(ThreadingHTTPServer):
    """The Runtime API of one function: hands out events, once it is known which, and records the responses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeApiHandler)
        self.events: list[dict[str, Any]] = []
        self.known = threading.Event()
        self.output: OutputTail | None = None
        self.answer: bytes | None = None
        self.network = False
        self.asked = 0  # how often it asked for an event: once more than it has answered
        self.failed = False
        self.problem: dict[str, Any] | None = None
        self.changed = threading.Event()
        self.closed = threading.Event()

    @property
    def address(self) -> str:
        """The address, in the form of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_address[1]}"


class RuntimeApiHandler(BaseHTTPRequestHandler):
    """One request of the runtime client."""

    server: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the body waits 40 ms until the client has acknowledged the head

    def do_GET(self) -> None:
        """Answer `next` with an event, or not at all when there are no more."""
        api = self.server
        api.asked += 1
        api.changed.set()
        api.known.wait()
        if not api.events:
            api.closed.wait()
            self.close_connection = True
            return
        if api.output and api.asked == 1:
            api.output.clear()
        body = json.dumps(api.events.pop(0)).encode()
        self._answer(200, body, {
            "Lambda-Runtime-Aws-Request-Id": f"00000000-0000-4000-8000-{api.asked:012}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:proof",
        })  # fmt: skip

    def do_POST(self) -> None:
        """Take a response, an error, or (ours) the full report of an error."""
        api = self.server
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        if self.path == "/proof/problem":
            api.problem = api.problem or json.loads(body)
        elif self.path == "/proof/network":
            api.network = True
        elif self.path.endswith("/response"):
            api.answer = body if api.answer is None else api.answer
        elif self.path.endswith("/error"):
            api.failed = True
        self._answer(202, b"{}", {})
        api.changed.set()

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class FunctionRun:
    """One start of a function, of which its process needs less to begin than what it will be sent."""

    def __init__(self, handler: str, environment: dict[str, str], request: dict[str, Any]) -> None:
        self.handler, self.environment = handler, environment
        self._request = request
        self._events = 0
        self._one: dict[str, Any] | None = None
        self.dropped = False
        self._api = RuntimeApi()
        threading.Thread(target=self._api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def tell(self, one: dict[str, Any]) -> None:
        """Say what it is sent, and within what limits."""
        events = [one["event"]] if one["event"] is not None else []
        if one["called"]:
            events.append({"proof/called": one["called"]})
        self._api.events, self._events, self._one = list(events), len(events), one
        if self._api.output:
            self._api.output.pass_on()
        self._api.known.set()

    def drop(self) -> None:
        """End it: nobody wants to know."""
        self.dropped = True
        self._api.known.set()
        self._api.changed.set()

    def run(self) -> dict[str, Any]:
        """Start the function, send it its events once they are known, end it."""
        api, (stack_end, told_end) = self._api, os.pipe()
        environment = {**self._environment(), "AWS_LAMBDA_RUNTIME_API": api.address, "_PROOF_STACK": str(told_end)}
        process = subprocess.Popen(
            # Not isolated: what the app sets for Python holds here as well. The client puts PYTHONPATH in its place.
            [sys.executable, "-s", "-B", "-u", str(CLIENT)],
            cwd=environment["LAMBDA_TASK_ROOT"], env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(told_end,),
        )  # fmt: skip
        os.close(told_end)
        assert process.stdout  # noqa: S101 - a pipe
        api.output = OutputTail(process.stdout, self.drop)
        if self._one:
            api.output.pass_on()
        watch = ProcessMonitor(process.pid)
        try:
            result = self._await_end(process, watch)
            stack = stack_of(process, stack_end) if result["ended"] in TOO_LONG else ""
        finally:
            os.close(stack_end)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
            api.closed.set()
        return {
            **result, "status": status, "peak_mb": watch.peak_mb, "problem": api.problem,
            "answer": answer_of(api.answer), "printed": api.output.text(), "network": api.network, "stack": stack,
        }  # fmt: skip

    def _environment(self) -> dict[str, str]:
        request, base, own = self._request, lambda_environment(self._request), dict(self.environment)
        if "PYTHONPATH" in own:  # names places on Lambda
            path = own["PYTHONPATH"].replace("/opt/python", f"{layer_folder(request)}/python")
            own["PYTHONPATH"] = path.replace("/var/task", base["LAMBDA_TASK_ROOT"])
        environment = {**base, **own, "_HANDLER": self.handler}
        environment["_PROOF_PYTHONPATH"] = environment.pop("PYTHONPATH")
        return environment

    def _await_end(self, process: subprocess.Popen[bytes], watch: ProcessMonitor) -> dict[str, Any]:
        """Wait until the function has started and answered, or has failed to."""
        api, init = self._api, None
        limit: float | None = self._request["init_seconds"]
        while True:
            api.changed.wait(POLL_SECONDS)
            api.changed.clear()
            taken, one = watch.look(), self._one
            if init is None and api.asked:
                init, limit = taken, None
            if init is not None and limit is None and one:
                limit = taken + one["seconds"] * max(1, self._events)
            ended = None
            if one and watch.peak_mb > one["memory"]:
                ended = "memory"
            elif api.failed:
                ended = "error"
            elif init is not None and one and api.asked > self._events:
                ended = "started"
            elif process.poll() is not None or self.dropped:
                ended = "exit"
            elif limit is not None and taken > limit:
                ended = "init-time" if init is None else "event-time"
            if ended:
                return {"ended": ended, "init_ms": None if init is None else round(init * 1000)}


def stack_of(process: subprocess.Popen[bytes], pipe: int) -> str:
    """Return where a process is that takes too long: the innermost frame first."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGUSR1)
    told = b""
    while len(told) < MOST_STACK and select.select([pipe], [], [], SETTLED_SECONDS if told else STACK_SECONDS)[0]:
        chunk = os.read(pipe, MOST_STACK)
        if not chunk:
            break
        told += chunk
    return told.decode(errors="replace")


def answer_of(body: bytes | None) -> dict[str, Any] | None:
    """Return the status and the beginning of the body of an answer to a request, None if it is none."""
    try:
        said = json.loads(body or b"")
        status = int(said["statusCode"])
        text = str(said.get("body", ""))[:MOST_ANSWERED]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    return {"status": status, "body": text} if status in HTTP_STATUSES else None


def layer_folder(request: dict[str, Any]) -> str:
    """Return where the layer is: in its place on Lambda, unless nothing is isolated."""
    isolated = not Path(request["task"][1]).exists()
    return str(request["layer"][0 if isolated else 1]) if request["layer"] else "/opt"


def lambda_environment(request: dict[str, Any]) -> dict[str, str]:
    """Return Lambda's own variables: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
    isolated = not Path(request["task"][1]).exists()
    task, runtime = (request[name][0 if isolated else 1] for name in ("task", "runtime"))
    layer = layer_folder(request)
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    path = (task, f"{layer}/python/lib/{minor}/site-packages", f"{layer}/python", runtime)
    return {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{minor}",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_STREAM_NAME": "proof",
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": runtime,
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:{layer}/lib",
        "PATH": f"/usr/local/bin:/usr/bin:/bin:{layer}/bin",
        "PYTHONPATH": ":".join(path),
        "TZ": ":UTC",
        "_PROOF_LIBRARIES": " ".join(request["libraries"]),
        # Of the proof alone. No credentials are given, and without a try or a metadata service no call to AWS waits.
        "AWS_ACCESS_KEY_ID": "proof",
        "AWS_SECRET_ACCESS_KEY": "proof",
        "AWS_SESSION_TOKEN": "proof",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **({} if isolated else {"TMPDIR": os.environ["TMPDIR"]}),
    }


def wait_for(told: Path) -> list[dict[str, Any]]:
    """Return the starts, once they are told."""
    while not told.exists():
        time.sleep(TOLD_SECONDS)
    found: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))
    return found


def is_of(early: FunctionRun, one: dict[str, Any]) -> bool:
    """Tell whether a start was foreseen."""
    return (early.handler, early.environment) == (one["handler"], one["environment"]) and not early.dropped


def start(one: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Start one function, send it its events, end it."""
    started = FunctionRun(one["handler"], one["environment"], request)
    started.tell(one)
    return started.run()


def start_all(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Start all functions, a few at a time; one of them before it is known what else there is, if it was foreseen."""
    foreseen = request.get("foreseen")
    early = FunctionRun(foreseen["handler"], foreseen["environment"], request) if foreseen else None
    with ThreadPoolExecutor(PARALLEL_STARTS) as pool:
        running = pool.submit(early.run) if early else None
        starts = request["starts"] if "starts" in request else wait_for(Path(request["told"]))
        awaited = next((one for one in starts if early and is_of(early, one)), None)
        if early and awaited:
            early.tell(awaited)
        elif early:
            early.drop()

        def result(one: dict[str, Any]) -> dict[str, Any]:
            if one is not awaited or not running:
                return start(one, request)
            found = running.result()
            # Printed too much to be held back, or needed too much before it was known how much that is.
            again = bool(early and early.dropped) or found["peak_mb"] > one["memory"]
            return start(one, request) if again else found

        return list(pool.map(result, starts))


def main(request_file: str, result_file: str) -> None:
    """Start all functions, and write what came of it."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    Path(result_file).write_text(json.dumps({"starts": []}), encoding="utf-8")  # remains if a start ends this process
    results = start_all(request)
    Path(result_file).write_text(json.dumps({"starts": results}), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads that still hold a silent connection need not be waited for


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
