"""Hostile apps and source distributions: each ends as a failure with its own code, and nothing is left of it."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attacks import DEAF, LIMITS, TOO_MUCH, left_processes
from building import NO_INDEXES, isolating, make_parts, make_source, open_index

from auto_lambda.errors import AppError, Code
from auto_lambda.files import remove_tree
from auto_lambda.model import BuildLog, FrameworkName
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.frameworks.zappa.front_end import Zappa
from builder.model import Built, Draft, Layer, Source
from builder.protocol.messages import Index
from builder.sandbox.sandbox import Command, Limits, Outcome
from worker.index.hosts import Indexes, discover

SECRET = "do-not-read-me"
MINOR = "3.12" if "3.12" in interpreters() else next(iter(interpreters()))
HELLO = "from chalice import Chalice\napp = Chalice(app_name='x')\n@app.route('/')\ndef index(): return {}\n"
RESULT = "import os, sys\nresult = sys.argv[2]\n"
END = "\nos._exit(0)\n"
LOOK = """
import os, glob
def read(path):
    try:
        return open(path, 'rb').read().decode(errors='replace')
    except OSError:
        return ''
seen = ' '.join(os.environ.values())
for pattern in ('/proc/*/environ', '/proc/*/cmdline', '/root/.aws/*', '/home/*/.aws/*', '/root/.netrc', '/run/*'):
    seen += ' '.join(map(read, glob.glob(pattern)))
assert 'do-not' + '-read-me' not in seen, 'found it'
raise RuntimeError('looked everywhere')
"""


class Tight:
    """The real sandbox, with limits so tight that a test costs little."""

    def __init__(self, limits: Limits = LIMITS, index: Index | None = None) -> None:
        self._inner = isolating(index)
        self._limits = limits

    def run(self, command: Command, say: BuildLog) -> Outcome:
        return self._inner.run(replace(command, limits=self._limits), say)


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert left_processes(tmp_path) == []
    remove_tree(tmp_path)
    assert not tmp_path.exists()


def source_of(folder: Path, framework: FrameworkName, files: dict[str, str]) -> Source:
    for name, text in files.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "work").mkdir()
    return make_source(folder / "tree", framework, MINOR)


def chalice(folder: Path, code: str, said: list[str] | None = None, limits: Limits = LIMITS) -> Draft:
    config = {".chalice/config.json": '{"version": "2.0", "app_name": "x"}'}
    source = source_of(folder, "chalice", {"app.py": code + HELLO, **config})
    say = (said if said is not None else []).append
    parts = make_parts(folder / "actions", Tight(limits))
    return parts.frameworks["chalice"].compile(Built(source, "", None), folder / "work", say)


def refused(folder: Path, code: str, said: list[str] | None = None, limits: Limits = LIMITS) -> AppError:
    with pytest.raises(AppError) as raised:
        chalice(folder, code, said, limits)
    return raised.value


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("processes", Code.TOO_MANY_PROCESSES),
        ("memory", Code.OUT_OF_MEMORY),
        ("output", Code.TOO_MUCH_OUTPUT),
    ],
)
def test_an_app_that_wants_too_much(tmp_path: Path, limit: str, code: Code) -> None:
    assert refused(tmp_path, TOO_MUCH[limit]).code == code


def test_an_app_that_fills_the_disk(tmp_path: Path) -> None:
    where = "import os, sys\nos.chdir(os.path.dirname(sys.argv[2]))\n"
    assert refused(tmp_path, where + TOO_MUCH["disk"]).code == Code.TOO_MUCH_DISK


def test_an_app_that_runs_for_ever_and_heeds_no_signal(tmp_path: Path) -> None:
    error = refused(tmp_path, DEAF, limits=replace(LIMITS, wall=3))
    assert error.code == Code.TOOK_TOO_LONG


def test_an_app_that_looks_for_the_workers_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    error = refused(tmp_path, LOOK)
    assert (error.code, "looked everywhere" in error.message) == (Code.APP_DOES_NOT_IMPORT, True)


@pytest.mark.parametrize("address", ["('169.254.169.254', 80)", "('127.0.0.1', PORT)", "('example.com', 443)"])
def test_an_app_that_calls_somewhere(tmp_path: Path, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = refused(tmp_path, f"import socket\nsocket.create_connection({address.replace('PORT', str(port))}, 3)\n")
    assert error.code == Code.APP_DOES_NOT_IMPORT
    assert any(said in error.message for said in ("unreachable", "refused", "Name or service", "name resolution"))


@pytest.mark.parametrize("path", ["/usr/lib/x", "/etc/x", "app.py", "/dev/x"])
def test_an_app_that_writes_where_it_should_not(tmp_path: Path, path: str) -> None:
    error = refused(tmp_path, f"open({path!r}, 'a')\n")
    assert error.code == Code.WRITES_TO_READ_ONLY
    assert "Read-only file system" in error.message


@pytest.mark.parametrize(
    "trick",
    [
        "os.unlink(result); os.mkfifo(result)",
        "os.unlink(result); os.symlink('/dev/zero', result)",
        "os.unlink(result); os.symlink('/etc/hostname', result)",
        "os.unlink(result); os.symlink('/nowhere', result)",
        "os.link(result, result + '.2')",
        "os.unlink(result); os.mkdir(result)",
        "os.unlink(result)",
        "os.unlink(result); os._exit(3)",
        "open(result, 'w'); os._exit(3)",
        "os.unlink(result); os.kill(os.getpid(), 9)",
        "open(result, 'wb').truncate(20 * 2**20)",
        "open(result, 'w').write('{\"template\": 1}')",
        "import socket; os.unlink(result); os.chdir(os.path.dirname(result)); socket.socket(1).bind('result.json')",
    ],
)
def test_an_app_that_plays_with_its_result(tmp_path: Path, trick: str) -> None:
    assert refused(tmp_path, RESULT + trick + END).code == Code.RESULT_TAMPERED


PACKAGES = """
import chalice.package
of_chalice = chalice.package.SAMTemplateGenerator.generate
def generate(self, resources):
    template = of_chalice(self, resources)
    one = template["Resources"]["APIHandler"]["Properties"]
    TRICK
    return template
chalice.package.SAMTemplateGenerator.generate = generate
"""
TEMPLATES = {
    "a lone surrogate": ("one['Description'] = 'x' + chr(0xd800)", Code.BAD_CONFIG, "not valid Unicode"),
    "no number": ("one['MemorySize'] = float('nan')", Code.BAD_CONFIG, "not a number"),
    "many resources": (
        "template['Resources'].update({f'R{n}': {'Type': 'AWS::SNS::Topic'} for n in range(100_000)})",
        Code.TOO_MANY_RESOURCES,
        "100,0",
    ),
    "many values": ("one['Tags'] = [0] * 300_000", Code.TOO_MANY_RESOURCES, "bytes"),
    "much text": ("one['Description'] = 'x' * 30_000_000", Code.TOO_MANY_RESOURCES, "30,0"),
    "two megabytes": ("one['Description'] = 'x' * 2_000_000", Code.TOO_MANY_RESOURCES, "2,0"),
    "deep": ("one['Tags'] = __import__('json').loads('[' * 90 + ']' * 90)", Code.TEMPLATE_REFUSED, "60 levels"),
    **{
        section: (f"template['{section}'] = {{'a': 'b'}}", Code.TEMPLATE_REFUSED, repr(section))
        for section in ("Mappings", "Conditions", "Rules", "Parameters", "Hooks", "Metadata", "Description", "Globals")
    },
}


@pytest.mark.parametrize("what", TEMPLATES)
def test_a_template_that_no_worker_would_take_is_refused_in_words_for_the_uploader(tmp_path: Path, what: str) -> None:
    trick, code, said = TEMPLATES[what]
    error = refused(tmp_path, PACKAGES.replace("TRICK", trick))
    assert error.code is code
    assert said in error.message


@pytest.mark.parametrize(
    "trick", ["os.mknod(result, 0o020666, os.makedev(1, 5))", "open(result, 'wb').truncate(10 * 2**30)"]
)
def test_an_app_that_wants_a_device_or_an_endless_file(tmp_path: Path, trick: str) -> None:
    error = refused(tmp_path, RESULT + trick + "\n")
    assert error.code == (Code.TOO_MUCH_DISK if "truncate" in trick else Code.APP_DOES_NOT_IMPORT)
    assert "not permitted" in error.message or "File exists" in error.message or error.code == Code.TOO_MUCH_DISK


def test_an_app_that_leaves_a_process_behind_goes_on_without_it(tmp_path: Path) -> None:
    code = (
        "import os\nif os.fork() == 0:\n    os.setsid(); os.closerange(0, 64)\n"
        "    os.execve('/bin/sleep', ['sleep', '30'], {})\n"
    )
    assert chalice(tmp_path, code).main == "APIHandler"


def test_escapes_do_not_reach_the_log(tmp_path: Path) -> None:
    said: list[str] = []
    chalice(tmp_path, r"print('\x1b]0;owned\x07\x1b[2J\x9b31mseen\x00\u202e')" + "\n", said)
    assert "seen" in "\n".join(said)
    assert all(character.isprintable() for line in said for character in line)


TRICKS = {
    "a link": "os.symlink('/etc/passwd', 'stolen.txt')",
    "a pipe": "os.mkfifo('pipe')",
    "another result": "open(sys.argv[2], 'w').write('{}'); os._exit(0)",
    "no result": "os.unlink(sys.argv[2]); os._exit(3)",
}


def zappa(folder: Path, trick: str) -> Draft:
    settings = '{"dev": {"app_function": "app.app", "project_name": "x", "prebuild_script": "hooks.build"}}'
    hooks = f"import os, sys\ndef build():\n    {trick}\n"
    files = {"app.py": "def app(e, s): pass\n", "hooks.py": hooks, "zappa_settings.json": settings}
    source = source_of(folder, "zappa", files)
    site = folder / "layer" / "python" / "zappa"
    site.mkdir(parents=True)
    (site / "handler.py").write_text("")
    built = Built(source, "", Layer(folder / "layer", Path("layer.zip"), "layers/x.zip", 0, 0))
    sandbox = Tight(replace(LIMITS, memory=10**9, disk=10**9))
    return Zappa(sandbox, ToolEnvironments()).compile(built, folder / "work", lambda _: None)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_hook_that_plants_things_gets_none_of_them_into_the_code(tmp_path: Path, trick: str) -> None:
    with contextlib.suppress(AppError):
        code = zappa(tmp_path, TRICKS[trick]).code
        assert "result" not in trick
        assert all(path.is_dir() or stat.S_ISREG(path.lstat().st_mode) for path in code.rglob("*"))
        assert b"root:" not in b"".join(path.read_bytes() for path in code.rglob("*.txt"))


# A build backend that lies beside the project: no index is needed to run it.
BACKEND = """
import os, sys
def build_wheel(folder='.', *_, **__):
    ATTACK
    raise SystemExit('it did not work')
build_editable = build_sdist = prepare_metadata_for_build_wheel = build_wheel
"""
PROJECT = (
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "evil"\ndynamic = ["version"]\n'
)


@pytest.mark.parametrize(
    ("attack", "code", "said"),
    [
        ("import urllib.request; urllib.request.urlopen('https://elsewhere.example')", Code.DEPENDENCY_BUILD_FAILED,
         "refused: no way from a build to elsewhere.example:443"),
        ("import socket; socket.create_connection(('169.254.169.254', 80), 3)", Code.DEPENDENCY_BUILD_FAILED,
         "Network is unreachable"),
        ("import socket; socket.create_connection(('127.0.0.1', PORT), 3)", Code.DEPENDENCY_BUILD_FAILED,
         "Connection refused"),
        ("open('/usr/lib/x', 'w')", Code.DEPENDENCY_BUILD_FAILED, "Read-only file system"),
        ("import time; time.sleep(60)", Code.TOOK_TOO_LONG, ""),
        ("exec(" + repr(TOO_MUCH["processes"]) + ")", Code.TOO_MANY_PROCESSES, ""),
        ("exec(" + repr(LOOK) + ")", Code.DEPENDENCY_BUILD_FAILED, "looked everywhere"),
    ],
)  # fmt: skip
def test_a_hostile_source_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str, code: Code, said: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("UV_INDEX_URL", f"https://reader:{SECRET}@index.invalid/simple")
    monkeypatch.setenv("UV_INDEX_INNER_PASSWORD", SECRET)
    monkeypatch.setenv("NETRC", f"/{SECRET}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        attack = attack.replace("PORT", str(server.getsockname()[1]))
        error, told = built(tmp_path, PROJECT, attack, lambda: discover(os.environ))
    assert error.code == code, error
    assert SECRET not in told
    assert said in told


LINK, PIPE = "os.symlink('/dev/zero', wheel)", "os.mkfifo(wheel)"
TWICE = "open(wheel, 'w').close(); os.link(wheel, wheel + '.whl')"
LARGE = "open(wheel, 'wb').truncate(31 * 2**20)"


@pytest.mark.parametrize("trick", [LINK, PIPE, TWICE, LARGE])
def test_a_build_that_leaves_something_else_than_a_wheel(tmp_path: Path, trick: str) -> None:
    attack = f"wheel = folder + '/evil-1-py3-none-any.whl'; {trick}; return 'evil-1-py3-none-any.whl'"
    error, _ = built(tmp_path, PROJECT.replace('dynamic = ["version"]', 'version = "1"'), attack)
    assert error.code == Code.DEPENDENCY_BUILD_FAILED, error


def built(
    folder: Path, project: str, attack: str, indexes: Callable[[], Indexes] = lambda: NO_INDEXES
) -> tuple[AppError, str]:
    """What came of a build, and all that was told of it."""
    backend = BACKEND.replace("ATTACK", attack)
    files = {"requirements.txt": "./evil\n", "evil/pyproject.toml": project, "evil/backend.py": backend}
    source = source_of(folder, "zappa", {"app.py": "", **files})
    told: list[str] = []
    with open_index(indexes, told.append) as index:
        sandbox = Tight(replace(LIMITS, wall=4, memory=10**9, disk=10**9), index)
        parts = make_parts(folder / "actions", sandbox, index=index)
        with pytest.raises(AppError) as raised:
            parts.dependencies.build(source, (), folder / "work", told.append)
    return raised.value, "\n".join([*told, str(raised.value)])
