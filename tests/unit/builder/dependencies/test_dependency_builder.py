"""Real builds: uv, the package index, a compiler. Few and small."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from building import make_parts, make_source, open_index

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from auto_lambda.runtimes import newest_first
from auto_lambda.tools import interpreters
from builder.compose import Parts
from builder.dependencies.dependency_builder import DependencyBuilder
from builder.dependencies.lock import Lock
from builder.dependencies.manifests import Manifest
from builder.dependencies.sdists import Pin, Sdist
from builder.dependencies.uv import BuildTarget, IndexTrouble
from builder.model import Built
from builder.protocol.messages import Index
from builder.sandbox.sandbox import IndexAccess, PlainSandbox
from worker.index.hosts import discover

PROJECT = (
    '[build-system]\nrequires=["setuptools"]\nbuild-backend="setuptools.build_meta"\n'
    '[project]\nname="%s"\nversion="1"\n'
)
PYTHONS = newest_first(tuple(interpreters()))
NEWEST, *_, OLDEST = PYTHONS
BROKEN = {
    "vendor-src/broken/pyproject.toml": PROJECT % "broken",
    "vendor-src/broken/setup.py": (
        "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('broken', ['broken.c'])])\n"
    ),
    "vendor-src/broken/broken.c": "int main( { return nonsense; }\n",
}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with open_index() as index:
        yield make_parts(tmp_path_factory.mktemp("actions"), PlainSandbox(_access(index)), index=index)


def _access(index: Index) -> IndexAccess:
    return IndexAccess(Path(index.socket), index.environment)


@contextmanager
def parts_elsewhere(folder: Path, environ: Mapping[str, str] = os.environ) -> Iterator[Parts]:
    """A builder that has built nothing yet, on a machine with other settings."""
    with open_index(lambda: discover(environ)) as index:
        yield make_parts(folder / "actions", PlainSandbox(_access(index)), index=index, environ=environ)


def build(
    tmp_path: Path,
    parts: Parts,
    files: dict[str, str],
    requirements: tuple[str, ...] = (),
    said: list[str] | None = None,
    python: str = NEWEST,
    named: bool = False,
) -> Built:
    tree, work = tmp_path / "tree", tmp_path / "work"
    work.mkdir(parents=True)
    for name, text in {"app.py": "", **files}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    others = () if named else tuple(one for one in PYTHONS if one != python)
    source = make_source(tree, "zappa", python, other_pythons=others)
    return parts.dependencies.build(source, requirements, work, (said if said is not None else []).append)


def test_from_requirements_to_a_layer_the_same_wherever_it_is_made(tmp_path: Path, parts: Parts) -> None:
    files = {
        "requirements.txt": "six==1.16.0\n./vendor-src/good\n",
        "vendor-src/good/pyproject.toml": PROJECT % "good",
        "vendor-src/good/good.py": "",
    }
    said: list[str] = []
    one = build(tmp_path / "one", parts, files, ("toml==0.10.2",), said)
    with parts_elsewhere(tmp_path) as others:
        two = build(tmp_path / "elsewhere" / "two", others, files, ("toml==0.10.2",))
    assert one.layer
    assert two.layer
    assert one.layer.zip.read_bytes() == two.layer.zip.read_bytes()
    assert one.lock == two.lock
    assert one.site
    assert {path.name for path in one.site.glob("*.py")} == {"six.py", "good.py"}
    assert "six==1.16.0 \\\n    --hash=sha256:" in one.lock
    assert one.warnings == ("toml==0.10.2 is not declared in requirements.txt: added in its newest fitting version",)
    assert {"dependencies: requirements.txt", "  six==1.16.0", "  ./vendor-src/good"} <= set(said)
    assert sorted(path.name for path in (tmp_path / "one" / "tree" / "vendor-src" / "good").iterdir()) == [
        "good.py",
        "pyproject.toml",
    ]


def test_nothing_to_ship(tmp_path: Path, parts: Parts) -> None:
    built = build(tmp_path, parts, {"requirements.txt": "# nothing\n"})
    assert built.layer is None
    assert built.lock == ""


def test_what_lambda_has_is_left_out_of_the_layer(tmp_path: Path, parts: Parts) -> None:
    built = build(tmp_path, parts, {"requirements.txt": "jmespath\nidna==3.7"})
    assert "jmespath==" in built.lock
    built = build(tmp_path / "two", parts, {"requirements.txt": "idna==3.7"}, ("s3transfer",))
    assert "botocore" not in built.lock
    assert "s3transfer" not in built.lock


@pytest.mark.parametrize("more", ["", "./vendor-src/own\n"], ids=["of the index alone", "with a project of the zip"])
def test_a_release_gets_the_bound_that_it_does_not_declare(tmp_path: Path, parts: Parts, more: str) -> None:
    own = {"vendor-src/own/pyproject.toml": PROJECT % "own", "vendor-src/own/own.py": ""}
    built = build(tmp_path, parts, {"requirements.txt": f"flask==2.0.3\n{more}", **own})
    assert "werkzeug==2.0." in built.lock
    (warning,) = (one for one in built.warnings if "flask 2.0.3" in one)
    assert "werkzeug<2.1 is taken; add it to requirements.txt" in warning


def test_an_older_release_that_a_bound_brings_gets_its_own(tmp_path: Path, parts: Parts) -> None:
    built = build(tmp_path, parts, {"requirements.txt": "flask-login==0.5.0\n"})
    assert "flask==3" not in built.lock
    assert "werkzeug==2.0." in built.lock


def test_pins_that_run_on_no_python_are_raised_with_a_warning(tmp_path: Path, parts: Parts) -> None:
    built = build(tmp_path, parts, {"requirements.txt": "flask==0.12.2\njinja2==2.9.6\nwerkzeug==0.12.2\n"})
    assert "flask==0.12.2" in built.lock
    assert "jinja2==2.11.3" in built.lock
    assert "werkzeug==0.16.1" in built.lock
    assert len([one for one in built.warnings if "runs on no Python that Lambda offers" in one]) == 2


def test_such_pins_stay_where_nothing_else_fits_them(tmp_path: Path, parts: Parts) -> None:
    built = build(
        tmp_path,
        parts,
        {"requirements.txt": "boto3==1.4.4\nbotocore==1.5.95\nrequests==2.20.0\njinja2<2.9\njinja2==2.8.1\n"},
    )
    assert "jinja2==2.8.1" in built.lock
    assert "botocore==1.5.95" in built.lock


def test_an_app_that_wants_what_does_not_fit_gets_it(tmp_path: Path, parts: Parts) -> None:
    built = build(tmp_path, parts, {"requirements.txt": "flask==2.0.3\nwerkzeug==3.0.6\n"})
    assert "werkzeug==3.0.6" in built.lock
    assert not [one for one in built.warnings if "flask 2.0.3" in one]


def test_a_uv_lock_is_taken_as_it_is(tmp_path: Path, parts: Parts) -> None:
    digest = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"
    lock = f"""
version = 1
requires-python = ">=3.11"

[[package]]
name = "six"
version = "1.16.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "https://index.example/six-1.16.0-py2.py3-none-any.whl", hash = "sha256:{digest}" }}]

[[package]]
name = "shop"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "six" }}]
"""
    project = '[project]\nname="shop"\nversion="1"\nrequires-python=">=3.11"\ndependencies=["six"]\n'
    built = build(tmp_path, parts, {"uv.lock": lock, "pyproject.toml": project})
    assert built.lock == f"six==1.16.0 \\\n    --hash=sha256:{digest}\n"


def test_a_broken_uv_lock_is_the_uploaders(tmp_path: Path, parts: Parts) -> None:
    with pytest.raises(AppError, match=r"uv\.lock") as caught:
        build(
            tmp_path, parts, {"uv.lock": "version = 1\n[[package", "pyproject.toml": "[project]\nname='x'\nversion='1'"}
        )
    assert caught.value.code == Code.BAD_REQUIREMENTS


def test_an_extension_that_does_not_compile_fails_the_app(tmp_path: Path, parts: Parts) -> None:
    with pytest.raises(AppError) as caught:
        build(tmp_path, parts, {"requirements.txt": "./vendor-src/broken\n", **BROKEN})
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED
    assert "broken.c:1" in caught.value.message
    assert str(tmp_path) not in caught.value.message.splitlines()[0]


@pytest.mark.parametrize(
    ("requirements", "code", "named"),
    [
        ("six==99.0", Code.REQUIREMENT_NOT_FOUND, "six==99.0"),
        ("this-package-does-not-exist-at-all-1234", Code.REQUIREMENT_NOT_FOUND, "this-package-does-not-exist"),
        ("six==1.16.0\nsix==1.15.0", Code.REQUIREMENTS_CONFLICT, "six==1.15.0"),
        ("python-dateutil==2.9.0\nsix<1.5", Code.REQUIREMENTS_CONFLICT, "python-dateutil"),
    ],
)
def test_what_has_no_solution_says_why(tmp_path: Path, parts: Parts, requirements: str, code: Code, named: str) -> None:
    with pytest.raises(AppError) as caught:
        build(tmp_path, parts, {"requirements.txt": requirements})
    assert caught.value.code == code
    assert named in caught.value.message


def test_an_index_that_is_away_is_our_trouble(tmp_path: Path) -> None:
    environ = {"UV_DEFAULT_INDEX": "https://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    with parts_elsewhere(tmp_path, environ) as parts, pytest.raises(IndexTrouble):
        build(tmp_path, parts, {"requirements.txt": "six"})


def test_an_index_line_counts_only_when_it_names_an_index_of_the_worker(tmp_path: Path) -> None:
    environ = {"UV_DEFAULT_INDEX": "http://user:secret@127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    ours = {"requirements.txt": "-i http://127.0.0.1:9/simple\nsix"}
    others = {"requirements.txt": "--extra-index-url https://host.example/simple\nsix"}
    with parts_elsewhere(tmp_path, environ) as parts:
        with pytest.raises(IndexTrouble):
            build(tmp_path / "one", parts, ours)
        with pytest.raises(AppError, match=r"host\.example") as caught:
            build(tmp_path / "two", parts, others)
    assert caught.value.code == Code.BAD_REQUIREMENTS


def test_a_build_sees_nothing_of_the_workers_environment(
    tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-workers-own")
    spy = (
        "import json, os\nfrom setuptools import setup\njson.dump(dict(os.environ), open('seen.json', 'w'))\nsetup()\n"
    )
    files = {"requirements.txt": "./spy", "spy/pyproject.toml": PROJECT % "spy", "spy/setup.py": spy}
    build(tmp_path, parts, {**files, "spy/spy.py": ""})
    seen = json.loads(next((tmp_path / "work").rglob("wheel-0/source/spy/seen.json")).read_text())
    assert "UV_CACHE_DIR" in seen
    assert not any(name.startswith("AWS_") for name in seen)


def test_a_hostile_project_cannot_change_what_is_built_beside_it(tmp_path: Path, parts: Parts) -> None:
    dynamic = (PROJECT % "evil").replace('version="1"', 'dynamic=["version"]')
    evil = (
        "import glob\nfrom setuptools import setup\n"
        "for path in glob.glob('../../*/good/good.py'): open(path, 'w').write('evil = 1')\nsetup(version='1')\n"
    )
    files = {"requirements.txt": "./evil\n./good\n", "evil/pyproject.toml": dynamic, "evil/setup.py": evil,
             "evil/evil.py": "", "good/pyproject.toml": PROJECT % "good", "good/good.py": "good = 1"}  # fmt: skip
    built = build(tmp_path, parts, files)
    assert [path.read_text() for path in (tmp_path / "work").glob("lock-*/local/*/good/good.py")] == ["evil = 1"]
    assert built.site
    assert (built.site / "good.py").read_text() == "good = 1"


def test_c_compiled_here_for_an_index_sdist(tmp_path: Path, parts: Parts) -> None:
    built = build(tmp_path, parts, {"requirements.txt": "--no-binary markupsafe\nmarkupsafe==3.0.2\n"})
    assert built.site
    assert list(built.site.glob("markupsafe/_speedups.*.so"))


@pytest.mark.skipif("3.13" not in interpreters(), reason="needs Python 3.13")
def test_another_python_is_used_where_only_that_has_a_solution_and_the_app_named_none(
    tmp_path: Path, parts: Parts
) -> None:
    newer = {"requirements.txt": "audioop-lts==0.2.1\n"}  # from 3.13 on
    built = build(tmp_path / "unnamed", parts, newer, python=OLDEST)
    assert built.source.python in ("3.13", "3.14")
    assert f"Python {built.source.python} is used" in built.warnings[-1]
    assert f'python = "{built.source.python}" in auto-lambda.toml' in built.warnings[-1]
    assert built.site
    assert list(built.site.glob("audioop/__pycache__/*.pyc"))
    with pytest.raises(AppError, match="audioop-lts") as caught:
        build(tmp_path / "named", parts, newer, python=OLDEST, named=True)
    assert caught.value.code == Code.REQUIREMENTS_CONFLICT
    assert "in auto-lambda.toml" in caught.value.hint


@dataclass
class FakeResolver:
    """Answers by Python: a lock, or an error."""

    answers: Mapping[str, Lock | AppError]
    asked: list[str] = field(default_factory=list)

    def lock(self, manifest: Manifest, target: BuildTarget, work: Path, log: BuildLog) -> Lock:
        self.asked.append(target.python)
        answer = self.answers[target.python]
        if isinstance(answer, AppError):
            raise answer
        return answer


@dataclass
class FakeLayers:
    """Makes layers, but not for the Pythons in ``fails``."""

    fails: tuple[str, ...] = ()
    built: list[str] = field(default_factory=list)

    def layer(self, lock: Lock, target: BuildTarget, work: Path, log: BuildLog) -> None:
        self.built.append(target.python)
        if target.python in self.fails:
            raise failed(f"fast 1.0 does not build:\non {target.python}")


def failed(message: str, code: Code = Code.DEPENDENCY_BUILD_FAILED) -> AppError:
    return AppError(code, message, hint="Do something.")


def lock_of(*without_wheel: str) -> Lock:
    sdists = {name: Sdist(name, "1.0", "f.tar.gz", "https://files.example/f", "aa") for name in without_wheel}
    pins = (*(Pin(f"{name}==1.0", ("sha256:aa", "sha256:bb")) for name in without_wheel), Pin("six==1.17.0"))
    return Lock(pins, unwheeled=sdists)


def climb(
    tmp_path: Path,
    answers: Mapping[str, Lock | AppError],
    fails: tuple[str, ...] = (),
    requirements: str = "six",
    pythons: tuple[str, ...] = ("3.13", "3.12", "3.11"),
    clock: Callable[[], float] = float,
    told: list[str] | None = None,
) -> tuple[Built, FakeResolver, FakeLayers]:
    tree, work = tmp_path / "tree", tmp_path / "work"
    tree.mkdir(parents=True)
    work.mkdir()
    (tree / "requirements.txt").write_text(requirements)
    resolver, layers = FakeResolver(answers), FakeLayers(fails)
    every = {minor: Path(f"/usr/bin/python{minor}") for minor in ("3.11", "3.12", "3.13")}
    builder = DependencyBuilder(cast(Any, resolver), cast(Any, layers), every, (), clock)
    first, *others = pythons
    source = make_source(tree, "zappa", first, other_pythons=tuple(others))
    warn = ([] if told is None else told).append
    return builder.build(source, (), work, lambda _: None, warn), resolver, layers


def test_what_is_compiled_is_told_beforehand(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(AppError):
        climb(tmp_path, {"3.13": lock_of("fast")}, fails=("3.13",), pythons=("3.13",), told=told)
    assert [line.partition(":")[0] for line in told] == ["no wheel of fast 1.0 fits Python 3.13, so it is compiled"]
    assert "20 minutes" in told[0]
    climb(tmp_path / "wheels", {"3.13": lock_of()}, pythons=("3.13",), told=told)
    assert len(told) == 1


def test_no_other_python_is_tried_when_the_time_for_compiling_is_over(tmp_path: Path) -> None:
    seconds = iter([0.0, 1201.0])
    with pytest.raises(AppError, match=r"on 3\.13"):
        climb(
            tmp_path,
            {"3.13": lock_of("fast"), "3.12": lock_of("fast")},
            fails=("3.13",),
            pythons=("3.13", "3.12"),
            clock=lambda: next(seconds),
        )


def test_the_preferred_python_is_built_at_once_if_all_has_wheels(tmp_path: Path) -> None:
    built, resolver, layers = climb(tmp_path, {"3.13": lock_of()})
    assert (built.source.python, built.source.other_pythons) == ("3.13", ("3.12", "3.11"))
    assert (resolver.asked, layers.built, built.warnings) == (["3.13"], ["3.13"], ())


def test_all_pythons_are_asked_before_anything_is_built_that_has_wheels_for_another(tmp_path: Path) -> None:
    answers = {"3.13": lock_of("fast"), "3.12": lock_of("fast", "quick"), "3.11": lock_of()}
    built, resolver, layers = climb(tmp_path, answers)
    assert built.source.python == "3.11"
    assert (resolver.asked, layers.built) == (["3.13", "3.12", "3.11"], ["3.11"])
    assert "Python 3.11 is used, as on 3.13 there is no wheel of fast 1.0" in built.warnings[-1]
    assert 'python = "3.11" in auto-lambda.toml fixes it' in built.warnings[-1]


def test_where_none_has_all_wheels_it_is_that_with_the_fewest_builds(tmp_path: Path) -> None:
    answers = {"3.13": lock_of("fast", "quick"), "3.12": lock_of("fast"), "3.11": lock_of("quick")}
    built, _, layers = climb(tmp_path, answers)
    assert (built.source.python, layers.built) == ("3.12", ["3.12"])


def test_a_build_that_fails_is_tried_on_the_others(tmp_path: Path) -> None:
    answers = {one: lock_of("fast") for one in ("3.13", "3.12", "3.11")}
    built, _, layers = climb(tmp_path, answers, fails=("3.13", "3.12"))
    assert (built.source.python, layers.built) == ("3.11", ["3.13", "3.12", "3.11"])
    assert "as on 3.13 fast 1.0 does not build" in built.warnings[-1]


def test_the_error_of_the_preferred_python_is_told_if_none_does(tmp_path: Path) -> None:
    answers = {one: lock_of("fast") for one in ("3.13", "3.12", "3.11")}
    with pytest.raises(AppError, match=r"on 3\.13"):
        climb(tmp_path / "built", answers, fails=("3.13", "3.12", "3.11"))
    unsolved = {one: failed(f"none on {one}", Code.REQUIREMENTS_CONFLICT) for one in ("3.13", "3.12", "3.11")}
    with pytest.raises(AppError, match=r"none on 3\.13"):
        climb(tmp_path / "asked", unsolved)


def test_what_no_other_python_cures_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="nonsense"):
        climb(tmp_path, {"3.13": failed("nonsense", Code.BAD_REQUIREMENTS)})


def test_a_python_that_the_manifest_is_not_for_is_not_asked(tmp_path: Path) -> None:
    built, resolver, _ = climb(tmp_path, {"3.11": lock_of()}, requirements="zappa==0.58.0\nflask\n")
    assert (built.source.python, resolver.asked) == ("3.11", ["3.11"])
    assert "Python 3.11 is used, as on 3.13 zappa 0.58.0 does not support it" in built.warnings[-1]


@pytest.mark.skipif(not {"3.11", "3.13"} <= interpreters().keys(), reason="needs Python 3.11 and 3.13")
def test_a_pin_of_a_real_index_runs_where_it_has_a_wheel(tmp_path: Path, parts: Parts) -> None:
    said: list[str] = []
    built = build(tmp_path, parts, {"requirements.txt": "markupsafe==2.1.2\n"}, said=said, python="3.13")
    assert built.source.python == "3.11"
    assert not [line for line in said if "building it from source" in line]


def test_a_source_for_2to3_is_built_with_the_setuptools_of_its_time(tmp_path: Path, parts: Parts) -> None:
    said: list[str] = []
    setup = "from setuptools import setup\nsetup(name='old', version='1', py_modules=['old'], use_2to3=True)\n"
    files = {"requirements.txt": "./old\n", "old/setup.py": setup, "old/old.py": "old = 1\n"}
    built = build(tmp_path, parts, files, said=said, python="3.11", named=True)
    assert built.site
    assert (built.site / "old.py").is_file()
    assert [line for line in said if "setuptools<58" in line]
