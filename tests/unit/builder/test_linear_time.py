"""Parsers of an upload's text, and of what its builds print, take time in proportion to its length.

Each gets worst cases that double in size up to a megabyte. The ratio of two CPU times of one run is compared, never a
time itself, and a quadratic parser already fails at a size at which it ends soon.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from linear import assert_linear, numbered, repeated

from auto_lambda.errors import AppError
from builder.dependencies import foreign_manifests, requirement_lines, wheels
from builder.dependencies.formats import lock_files, setup_files
from builder.dependencies.uv import BuildTarget
from builder.dependencies.uv_errors import explain
from builder.diagnosis.import_errors import remedy
from builder.diagnosis.python2 import looks_like_python2
from builder.diagnosis.tracebacks import last_lines
from builder.diagnosis.unset_variables import FailedImport, said_by_libraries, unset_variables
from builder.frameworks.zappa import events
from builder.frameworks.zappa.settings import StageSettings
from builder.model import Options
from builder.proof.distributions import owners
from builder.proof.printed import last_exception
from builder.sandbox.output import Lines
from builder.sandbox.output import printable as printable_line
from builder.source import documents
from builder.source.settings import read_zappa

TARGET = cast(
    "BuildTarget",
    type("BuildTarget", (), {"python": "3.12", "architecture": "x86_64", "platform": "x86_64-manylinux_2_34"}),
)


REQUIREMENTS = {
    "spaces before what is no comment": repeated(" ", start="a", end="b"),
    "spaces after an option": repeated(" ", start="-e", end="b"),
    "spaces before an option's value": repeated(" ", start="--hash", end="x"),
    "a long option": repeated("-a", start="-"),
    "spaces in a path": repeated(" ", start="./a", end="b"),
    "brackets in a path": repeated("[", start="./a"),
    "spaced brackets in a path": repeated(" [", start="./a", end="]"),
    "brackets": repeated("[", start="a", end="/"),
    "spaces in extras": repeated(" ", start="a[", end="]"),
    "spaces before a semicolon": repeated(" ", start="a==1.*", end=";"),
    "spaces before a hash": repeated(" ", start="a==1", end="--hash=x"),
    "hashes on one line": repeated(" --hash=sha256:0", start="a==1"),
    "hashes of one name": numbered("a==1 --hash=sha256:{:08}" + " " * 480 + "\n"),
    "continuations": repeated("\\\n", start="a"),
    "NULs": repeated("\0", end="a"),
    "steps upwards": repeated("../", start="./"),
    "steps downwards": repeated("a/", start="./"),
    "open markers": repeated("(", start="a; "),
}


@pytest.mark.parametrize("worst", REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_requirements(tmp_path: Path, worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: requirement_lines.parse(text, "requirements.txt", tmp_path, tmp_path), worst)


PYPROJECT = {
    "a dotted key": repeated(".a", start="a", end=" = 1"),
    "a dotted table": repeated(".a", start="[a", end="]"),
    "operators without an end": repeated(
        "<", start="[tool.poetry.dependencies]\na.version='1'\na.python='''", end="x\ny'''"
    ),
    "spaces in a version": repeated(
        " ", start="[tool.poetry.dependencies]\na.version='1'\na.python='''<", end="x\ny'''"
    ),
    "many sources": lambda size: (
        "[project]\ndependencies = [\n"
        + "".join(f"'a{n}',\n" for n in range(size // 4000))
        + "]\n[tool.uv.sources]\n"
        + "".join(f"b{n:08} = {{{' ' * 500}index = 'x'}}\n" for n in range(size // 520))
    ),
}


@pytest.mark.parametrize("worst", PYPROJECT.values(), ids=PYPROJECT)
def test_pyproject(tmp_path: Path, worst: Callable[[int], str]) -> None:
    path = tmp_path / "pyproject.toml"

    def parse(text: str) -> None:
        path.write_text(text)
        foreign_manifests.pyproject(path, tmp_path, lambda _: True, Options())

    assert_linear(parse, worst)


def test_poetry_lock_with_one_name_many_times(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    path = tmp_path / "poetry.lock"

    def parse(text: str) -> None:
        path.write_text(text)
        lock_files.project_lock(path, tmp_path, Options())

    package = "[[package]]\nname = 'a'\nversion = '1'\nfiles = [{{hash = '{:08}'}}]\n"
    assert_linear(parse, numbered(package + "#" * 400 + "\n"))


def test_pylock_with_one_name_many_times(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"

    def parse(text: str) -> None:
        path.write_text(text)
        lock_files.pylock(path, tmp_path)

    package = "[[packages]]\nname = 'a'\nversion = '1'\nwheels = [{{hashes = {{sha256 = '{:08}'}}}}]\n"
    assert_linear(parse, numbered(package + "#" * 400 + "\n"))


SETUP_FILES = {
    "brackets": repeated("(", start="setup"),
    "requirements": numbered("setup(install_requires=['a{:08}'])\n" + "#" * 400 + "\n"),
    "sections": numbered("[a{:08}]\n"),
    "values": repeated(" a\n", start="[options]\ninstall_requires =\n"),
    "spaces": repeated(" ", start="[options]\na", end="x"),
    "keys": numbered("a{:08} = 1\n"),
}


@pytest.mark.parametrize("worst", SETUP_FILES.values(), ids=SETUP_FILES)
def test_setup_files(tmp_path: Path, worst: Callable[[int], str]) -> None:
    path = tmp_path / "setup.py"

    def parse(text: str) -> None:
        path.write_text(text)
        setup_files.setup_py(path, tmp_path)
        setup_files.setup_cfg(path, tmp_path)

    assert_linear(parse, worst)


UV_OUTPUT = {
    "empty lines": repeated("\n"),
    "lines of signs": repeated("  \u00d7\n"),
    "builds without a name's end": repeated("Building `\n", end="x"),
    "spaces": repeated(" ", end="x"),
    "nobody's packages": repeated("Because "),
    "addresses": repeated(" @ file://", start="error: Building `", end="`"),
    "errors": repeated("error: x\n"),
    "causes": repeated("  cause: Failed to build `x\n", start="error: x\n"),
    "continued lines": repeated("         x\n", start="error: x\n"),
    "a long address": repeated("x", start="error: Failed to fetch: http://"),
}


@pytest.mark.parametrize("worst", UV_OUTPUT.values(), ids=UV_OUTPUT)
def test_output_of_uv(worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: explain(text, "requirements.txt", TARGET), worst)


DIAGNOSED = {
    "literals": repeated("invalid decimal literal "),
    "exceptions": repeated(",a", start="except a", end="!"),
    "spaces": repeated(" ", start="except a,"),
    "backticks": repeated("`"),
    "digits": repeated("0"),
    "one word": repeated("a", end=": cannot open shared object file"),
    "names of variables": repeated("A", start="Config '"),
    "fields": repeated("a\n  Field required [type=missing\n"),
    "versions": repeated("version `(GLIBC_"),
    "frames": repeated('  File "', end='", line 1'),
    "lines of a frame": repeated('", line ', start='  File "', end="x"),
}


@pytest.mark.parametrize("worst", DIAGNOSED.values(), ids=DIAGNOSED)
def test_messages_and_tracebacks(worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: looks_like_python2(text, text), worst)
    assert_linear(lambda text: remedy(text, types=("OSError",)), worst)
    for origin in ("pydantic_core", "environs", "decouple", "dynaconf", "builtins"):
        assert_linear(lambda text, origin=origin: said_by_libraries(text, (origin,)), worst)  # type: ignore[misc]
    assert_linear(lambda text: last_lines(text, {Path("/app"): ""}), worst)


CODE = {
    "readings": numbered("a{0} = os.environ['A{0}']\n"),
    "helpers": numbered("def f{0}(x):\n    return os.environ[x]\nf{0}('A{0}')\n"),
    "kept variables": numbered("a{0} = os.getenv('A{0}')\nassert a{0}\n"),
    "nested helpers": lambda size: "".join(
        f"{' ' * depth}def f{depth}(x):\n" for depth in range(90)
    ) + numbered(f"{' ' * 90}a{{}} = os.environ[x]\n")(size),
    "classes": numbered("class C{0}(S):\n    a{0}: str\nC{0}()\n"),
    "a long chain of operators": repeated(" + a", start="a = a"),
    "calls within calls": repeated("f(a)(", start="f(", end=")" ),
    "validators": numbered("Validator('a{}', must_exist=True)\n"),
}  # fmt: skip


@pytest.mark.parametrize("worst", CODE.values(), ids=CODE)
def test_variables_that_code_needs(tmp_path: Path, worst: Callable[[int], str]) -> None:
    app = tmp_path / "app.py"

    def parse(text: str) -> None:
        app.write_text(
            f"import os\nfrom pydantic_settings import BaseSettings as S\nfrom dynaconf import Validator\n{text}"
        )
        failure = FailedImport("A1 is None", asked=["A1"], own=(app, 3))
        unset_variables(failure, tmp_path, [app], ())

    assert_linear(parse, worst, largest=512 * 1024)


def test_settings_that_extend_one_another(tmp_path: Path) -> None:
    def parse(text: str) -> None:
        (tmp_path / "zappa_settings.json").write_text(text[: documents.MAX_BYTES])
        read_zappa(tmp_path).stage("s0")

    def worst(size: int) -> str:
        stages = min(size, documents.MAX_BYTES) // 34
        chain = ", ".join(f'"s{n}": {{"extends": "s{(n + 1) % stages}"}}' for n in range(stages))
        return f"{{{chain}}}".ljust(size)

    assert_linear(parse, worst)


def test_filters_of_one_topic() -> None:
    def parse(text: str) -> None:
        source = {"arn": "arn:aws:sns:us-east-1:123456789012:t", "filters": {"k": text.split(",")}}
        events.event_source_parts(StageSettings({"events": [{"function": "a.b", "event_source": source}]}))

    assert_linear(parse, numbered("value-{:08},"))


SETTINGS = {
    "lists in lists (JSON)": ("json", repeated("[")),
    "objects in objects (JSON)": ("json", repeated('{"a":')),
    "one number (JSON)": ("json", repeated("1")),
    "escapes (JSON)": ("json", repeated("\\", start='{"a": "')),
    "comments (Hjson)": ("json", repeated("#a\n", start="{")),
    "a comment without an end (Hjson)": ("json", repeated("*", start="{/*")),
    "words without quotes (Hjson)": ("json", repeated("x ", start="{a: ")),
    "spaces after a number (Hjson)": ("json", repeated(" ", start="{a: 1", end="x}")),
    "text in lines (Hjson)": ("json", repeated("''\n", start="{a: '''")),
    "a root without braces (Hjson)": ("json", repeated("a: 1\n")),
    "lists in lists (TOML)": ("toml", repeated("[", start="a = ")),
    "tables in tables (TOML)": ("toml", repeated("{a=", start="a = ")),
    "one number (TOML)": ("toml", repeated("1", start="a = ")),
    "one dotted key (TOML)": ("toml", repeated("a.", end="a = 1")),
    "tables (TOML)": ("toml", numbered("[a.b{:08}]\n")),
    "quotes (TOML)": ("toml", repeated('"', start="a = ")),
    "lists in lists (YAML)": ("yml", repeated("[")),
    "keys in keys (YAML)": ("yml", repeated("? ")),
    "entries in entries (YAML)": ("yml", repeated("- ")),
    "anchors (YAML)": ("yml", numbered("- &a{:08} 1\n")),
    "words (YAML)": ("yml", repeated("a ")),
    "quotes (YAML)": ("yml", repeated('"')),
    "merge keys (YAML)": ("yml", repeated("<<: {}\n")),
}


@pytest.mark.parametrize(("suffix", "worst"), SETTINGS.values(), ids=SETTINGS)
def test_settings(tmp_path: Path, suffix: str, worst: Callable[[int], str]) -> None:
    path = tmp_path / f"settings.{suffix}"
    limit = documents.MAX_YAML_BYTES if suffix == "yml" else documents.MAX_BYTES

    def parse(text: str) -> None:
        path.write_text(text)
        documents.read(path, path.name, comments=True)

    assert_linear(parse, worst, limit)
    with pytest.raises(AppError):
        parse(worst(limit) + " " * limit)


WHEELS = {
    "hyphens": repeated("-", start="a", end=".whl"),
    "tags that multiply": lambda size: f"a-1-{'-'.join(['.'.join(map(str, range(size // 18)))] * 3)}{' ' * size}.whl",
    "a long version": repeated(".1", start="a-1", end="-py3-none-any.whl"),
    "a large number": repeated("1", start="a-1", end="-py3-none-any.whl"),
    "a large build number": repeated("1", start="a-1-", end="-py3-none-any.whl"),
    "a local version": repeated("a.", start="a-1+", end="-py3-none-any.whl"),
}


@pytest.mark.parametrize("worst", WHEELS.values(), ids=WHEELS)
def test_names_of_wheels_on_an_index(worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: wheels.fits(text, TARGET), worst)


HEADER = "Traceback (most recent call last):\n"
PRINTED = {
    "titles": repeated("\x1b]"),
    "device strings": repeated("\x1bP"),
    "parameters": repeated("0", start="\x1b["),
    "intermediates": repeated(" ", start="\x1b"),
    "returns": repeated("\r"),
    "one line": repeated("a"),
    "names of secrets": repeated("token"),
    "keys that begin": repeated("-----BEGIN PRIVATE KEY-----"),
    "lines of a key": repeated("MIIEpAIBAAKC\n", start="-----BEGIN PRIVATE KEY-----\n"),
}


@pytest.mark.parametrize("worst", PRINTED.values(), ids=PRINTED)
def test_what_a_build_prints(worst: Callable[[int], str]) -> None:
    def read(text: str) -> None:
        lines = Lines(lambda _: None, 4 * len(text))
        for at in range(0, len(text), 65536):
            lines.feed(text[at : at + 65536].encode())
        lines.finish()

    assert_linear(printable_line, worst)
    assert_linear(read, worst)


def test_the_files_of_a_distribution(tmp_path: Path) -> None:
    record = tmp_path / "a-1.dist-info" / "RECORD"
    record.parent.mkdir()

    def parse(text: str) -> None:
        record.write_text(text)
        owners(tmp_path, {f"a/{number:08}.so" for number in range(1000)})

    assert_linear(parse, numbered("a/{:08}.so,sha256=x,1\n"))
    assert_linear(parse, repeated('"'))


PRINTED = {
    "headers": repeated(HEADER),
    "frames": repeated('  File "a.py", line 1, in a\n', start=HEADER, end="a.B: c"),
    "chained": repeated(f"{HEADER}A: b\n\nDuring handling of the above exception, another exception occurred:\n\n"),
    "records without a line end": repeated("[INFO]\t", start=HEADER),
    "a dotted type": repeated("a.", start=HEADER, end="B: c"),
    "errno": repeated(":", start=f"{HEADER}OSError: [Errno 2] ", end="'x"),
    "missing": repeated("No module named '", start=f"{HEADER}ImportError: "),
}


@pytest.mark.parametrize("worst", PRINTED.values(), ids=PRINTED)
def test_exceptions_that_a_program_has_printed(worst: Callable[[int], str]) -> None:
    assert_linear(lambda text: last_exception(text, "health"), worst)
