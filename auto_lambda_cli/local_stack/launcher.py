"""Runs the embedded AWS. A script for the Python of the ``embedded-aws`` environment, which has nothing of ours.

Reads one JSON line from standard input: ``{"socket": fd, "runtimes": {minor: path}, "runtime": [command...],
"environ": {...}, "credentials": [key id, secret]}``. ``runtimes`` has the interpreters for functions by Python version;
for another version the command ``runtime``, run in ``environ`` with the version appended, creates one and prints its
path. Standard input stays open as long as the parent lives; at its end this process and all functions are killed.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WORTH_SHARING = 30_000_000  # bytes: starting other processes takes as long as unpacking so many
LONG_POLL = 0.02  # seconds between two polls; the emulator's own 0.1 would be the longest wait of a build
SETTLES = 0.01  # seconds until a function has been updated; the emulator's own 0.5 would be most of a deployment
OURS = ("BIND_HOST", "GATEWAY_PORT", "MINISTACK_ACCOUNT_ID", "LAMBDA_EXECUTOR", "IOT_MTLS_ENABLED", "HOME")

HERE = Path(__file__).parent


def main() -> None:
    """Serve until the parent has died."""
    orders = json.loads(sys.stdin.readline())
    threading.Thread(target=die_with_parent, daemon=True, name="lifeline").start()
    tempfile.tempdir = str(Path.cwd())  # not TMPDIR: functions would inherit that
    honour_runtimes(orders["runtimes"], orders["runtime"], orders["environ"])
    share_layers(Path.cwd() / "layers")
    long_poll_patch()
    update_functions_briskly()
    for name in (
        "object_ranges",
        "droppers",
        "rest_apis",
        "request_events",
        "topic_events",
        "idle_functions",
        "request_ids",
        "custom_domains",
        "stable_services",
        "alarms",
        "alias_weights",
    ):
        load(f"emulator/{name}.py").patch()
    load("emulator/load_balancers.py").patch(load("emulator/target_health.py"))
    use_credentials(*orders["credentials"])
    serve(orders["socket"], orders["credentials"][1])


def die_with_parent() -> None:
    """Kill our process group, functions included, as soon as standard input is closed."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def honour_runtimes(made: Mapping[str, str], command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run Python functions with the interpreter of their runtime; the emulator would use its own for all."""
    from ministack.core import lambda_runtime  # type: ignore[import-not-found,unused-ignore]

    detect = lambda_runtime._detect_runtime_binary
    prepare = (HERE / "emulator" / "prologue.py").read_text()

    @functools.cache
    def interpreter(minor: str) -> str:
        done = subprocess.run([*command, minor], env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"no Python {minor} to run functions with: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()

    def detect_binary(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        if not runtime.startswith("python"):
            return binary, script
        prologue = f"{prepare}\nprepare({OURS!r}, {f'AWS_Lambda_{runtime}'!r})\n"
        minor = runtime.removeprefix("python")
        return made.get(minor) or interpreter(minor), prologue + script

    lambda_runtime._detect_runtime_binary = detect_binary


def share_layers(folder: Path) -> None:
    """Unpack a layer once for all instances of all functions; the emulator would unpack it for each."""
    from ministack.core import lambda_runtime  # type: ignore[import-not-found,unused-ignore]

    folder.mkdir()
    one_at_a_time = threading.Lock()

    class ZipFile(zipfile.ZipFile):
        """Replaces the class with which the emulator unpacks code, and layers into folders ``layer_<number>``."""

        def namelist(self) -> list[str]:
            return []  # used only to check each name, slowly, which extracting does too

        def extractall(self, path: Any = None, *_: Any) -> None:
            if not Path(path).name.startswith("layer_"):
                return unpack_members(self, super().namelist(), path)
            shared = folder / hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
            with one_at_a_time:
                if not shared.exists():
                    fresh = shared.with_suffix(".new")
                    unpack(Path(str(self.filename)), self.infolist(), fresh)
                    fresh.rename(shared)
            Path(path).rmdir()
            Path(path).symlink_to(shared)
            return None

    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": ZipFile})


def unpack(file: Path, members: Sequence[zipfile.ZipInfo], to: Path) -> None:
    """Unpack large zips on all processors: a layer has up to 250 MB, and a function waits for it."""
    names = [member.filename for member in members]
    plain = not any(Path(name).is_absolute() or ".." in Path(name).parts for name in names)
    if sum(member.file_size for member in members) < WORTH_SHARING or not plain:
        unpack_share(file, names, to)
        return
    for folder in {Path(to, name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)  # here, since two processes that create the same one would fail
    count = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        list(pool.map(unpack_share, repeat(file), [names[start::count] for start in range(count)], repeat(to)))


def unpack_share(file: Path, names: Sequence[str], to: Path) -> None:
    """Unpack some members of a zip."""
    with zipfile.ZipFile(file) as archive:
        unpack_members(archive, names, to)


def unpack_members(archive: zipfile.ZipFile, names: Sequence[str], to: Path) -> None:
    """Unpack some members of an open zip, programs as such: `extractall` makes plain files of all."""
    for name in names:
        path = Path(archive.extract(name, to))
        if archive.getinfo(name).external_attr >> 16 & 0o111 and path.is_file():
            path.chmod(0o755)


def long_poll_patch() -> None:
    """Poll a queue often during a long poll: AWS answers as soon as a message arrives."""
    from ministack.services import sqs  # type: ignore[import-not-found,unused-ignore]

    def sleep(seconds: float) -> Awaitable[None]:
        return asyncio.sleep(min(seconds, LONG_POLL))

    sqs.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": sleep})


def update_functions_briskly() -> None:
    """End updates of functions soon: AWS takes about a second, for which no local deployment has to wait."""
    from ministack.services import lambda_svc  # type: ignore[import-not-found,unused-ignore]

    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = SETTLES


def use_credentials(key_id: str, secret: str) -> None:
    """Run functions with the stack's credentials, and honour them in presigned URLs, whose signatures S3 checks itself.

    Other keys keep the emulator's own secret.
    """
    from ministack.core import lambda_runtime  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import s3  # type: ignore[import-not-found,unused-ignore]

    resolve = s3.resolve_credential

    def resolve_ours(given: str, *rest: Any) -> Any:
        return replace(resolve("test", *rest), secret_access_key=secret) if given == key_id else resolve(given, *rest)

    s3.resolve_credential = resolve_ours
    credentials = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": ""}
    lambda_runtime.execution_credentials = lambda _: credentials


def serve(socket: int, secret: str) -> None:
    """Serve on a socket that the parent has bound, so that no one else can take the port in between."""
    from hypercorn.asyncio import run  # type: ignore[import-not-found,unused-ignore]
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config  # type: ignore[import-not-found,unused-ignore]
    from ministack.app import app  # type: ignore[import-not-found,unused-ignore]

    access, addresses = load("access.py"), load("emulator/addresses.py")
    peers: dict[tuple[str, int], Callable[[], bool]] = {}

    class Server(run.TCPServer):  # type: ignore[misc,unused-ignore]
        """Serves one connection, and knows whose it is as long as it is open."""

        async def run(self) -> None:
            client, server = (self.writer.get_extra_info(name) for name in ("peername", "sockname"))
            peers[client] = functools.cache(lambda: access.peers_user(client, server))
            try:
                await super().run()
            finally:
                del peers[client]

    run.TCPServer = Server
    config = Config()
    config.bind = [f"fd://{socket}"]
    config.keep_alive_timeout = 75
    apps = addresses.AppAddresses(app)
    guard = access.GuardedAws(apps, secret, lambda client: client in peers and peers[client](), addresses.of_page)
    asyncio.run(hypercorn_serve(guard, config))


def load(file: str) -> Any:
    """Load a module below this script's folder: the emulator's Python has none of our packages."""
    path = HERE / file
    spec = importlib.util.spec_from_file_location(f"auto_lambda_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"there is no {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
