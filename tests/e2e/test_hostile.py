"""Hostile uploads through the whole pipeline: each fails with its own code, and the worker works on."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from e2e_stack import Drop, Stack, make_zip, small_chalice

APP = "\nfrom chalice import Chalice\napp = Chalice(app_name='x')\n"
LOOK = """
import glob, os, socket
seen = ' '.join(os.environ.values())
for path in glob.glob('/proc/*/environ'):
    try:
        seen += open(path, errors='replace').read()
    except OSError:
        pass
assert 'AWS_SECRET_ACCESS_KEY' not in seen and 'AUTO_LAMBDA' not in seen, 'found something'
for address in (('169.254.169.254', 80), ('127.0.0.1', PORT)):
    try:
        socket.create_connection(address, 2)
    except OSError:
        continue
    raise SystemExit('reached ' + str(address))
print('\\x1b]0;owned\\x07\\x9b31mseen')
raise RuntimeError('looked everywhere')
"""
PIPE = "import os, sys\nos.unlink(sys.argv[2]); os.mkfifo(sys.argv[2])\nos._exit(0)\n"
# Threads, which are counted as processes are: that many processes would cost this machine more.
BOMB = """
import os, threading, time
if os.fork() == 0:
    os.setsid(); os.closerange(0, 64)
    os.execve('/bin/sleep', ['sleep', '4713'], {})
threading.stack_size(64 * 1024)
for _ in range(1200):
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        pass
time.sleep(60)
"""
BACKEND = """
import urllib.request
def build_wheel(*_, **__):
    urllib.request.urlopen('https://elsewhere.example', timeout=5)
prepare_metadata_for_build_wheel = build_wheel
"""
PROJECT = (
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "evil"\ndynamic = ["version"]\n'
)
SDIST = {"requirements.txt": "./evil\n", "evil/pyproject.toml": PROJECT, "evil/backend.py": BACKEND}
ENDS = {
    "look": ({"app.py": LOOK + APP}, "app-does-not-import", "looked everywhere"),
    "pipe": ({"app.py": PIPE + APP}, "result-tampered", "changed or replaced"),
    "bomb": ({"app.py": BOMB + APP}, "too-many-processes", "1,024"),
    "sdist": (SDIST, "dependency-build-failed", ""),
}


@pytest.fixture(scope="module")
def dropped(stack: Stack) -> dict[str, Drop]:
    """All of them at once."""
    port = stack.endpoint.rpartition(":")[2].rstrip("/")
    return {
        name: stack.drop(f"evil-{name}", make_zip({**small_chalice(), **_with_port(files, port)}))
        for name, (files, _, _) in ENDS.items()
    }


def _with_port(files: dict[str, str], port: str) -> dict[str, str]:
    return {name: text.replace("PORT", port) for name, text in files.items()}


@pytest.mark.parametrize("name", ENDS)
def test_it_fails_with_its_own_code(stack: Stack, dropped: dict[str, Drop], name: str) -> None:
    _, code, said = ENDS[name]
    receipt = stack.final(dropped[name])
    assert receipt["status"] == "failed", receipt
    assert receipt["sandbox"] == "bubblewrap"
    assert (receipt["error"]["code"], said in receipt["error"]["message"]) == (code, True), receipt["error"]


def test_what_it_printed_is_clean_in_the_log(stack: Stack, dropped: dict[str, Drop]) -> None:
    stack.final(dropped["look"])
    log = stack.log(dropped["look"])
    assert "seen" in log
    assert "\x1b" not in log
    assert "\x9b" not in log


def test_a_build_that_asked_elsewhere_is_told_so(stack: Stack, dropped: dict[str, Drop]) -> None:
    stack.final(dropped["sdist"])
    assert "refused: no way from a build to elsewhere.example:443" in stack.log(dropped["sdist"])


def test_afterwards_the_worker_works_and_nothing_is_left(stack: Stack, dropped: dict[str, Drop]) -> None:
    for drop in dropped.values():
        stack.final(drop)
    stack.live(stack.drop("after-the-evil", make_zip(small_chalice("'fine'"))))
    left = [process for process in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x004713" in _read(process)]
    assert left == []


TAKE = """
def take(package):
    made = package.SAMTemplateGenerator.generate
    def generate(self, resources):
        template = made(self, resources)
        template['Resources']['Code'] = {
            'Type': 'AWS::Lambda::EventInvokeConfig',
            'Properties': {'FunctionName': 'FUNCTION', 'Qualifier': 'live', 'MaximumRetryAttempts': 0},
        }
        template['Resources']['Url'] = {
            'Type': 'AWS::ApiGateway::Resource',
            'Properties': {'RestApiId': 'API', 'ParentId': 'root', 'PathPart': 'login'},
        }
        return template
    package.SAMTemplateGenerator.generate = generate
try:
    import chalice.package
    take(chalice.package)
except ImportError:
    pass  # it is not on Lambda
"""


def test_an_app_cannot_take_the_code_or_the_url_of_another(stack: Stack) -> None:
    victim = stack.live(stack.drop("victim", make_zip(small_chalice("'mine'"))))
    function, url = victim["function"], victim["url"]
    app = TAKE.replace("'API'", "'a1b2c3'").replace("FUNCTION", function) + str(small_chalice("'taken'")["app.py"])
    receipt = stack.final(stack.drop("thief", make_zip({**small_chalice(), "app.py": app})))
    assert receipt["status"] == "failed", receipt
    assert receipt["error"]["code"] == "template-refused"
    message = receipt["error"]["message"]
    assert f"Code: FunctionName: it names {function}, which belongs to another app" in message
    assert "Url: RestApiId: it names a1b2c3, which is neither in this template" in message
    with urllib.request.urlopen(url) as answer:
        assert "mine" in answer.read().decode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
