"""Which Python an app ends up on, where its framework and the proof are played."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from drafts import function, role

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, GuessedSettings, Proof
from builder.compose import Parts
from builder.diagnosis.other_python import NeedsSetuptools, OtherPythonMayDo, mark
from builder.frameworks.base import Ahead
from builder.lint.lint import SettingNames
from builder.model import Built, Draft, Options, Source
from builder.pipeline import ProvenApp, build_app
from builder.protocol.messages import AppRequest

PYTHONS = ["3.11", "3.12", "3.13"]
DIED = "does not start:\nModuleNotFoundError: No module named 'cgi'"


@dataclass
class Listener:
    steps: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pythons: list[str] = field(default_factory=list)

    def step(self, step: str) -> None:
        self.steps.append(step)

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def recognised(self, source: Source) -> None:
        self.pythons.append(source.python)

    def guessed(self, settings: GuessedSettings) -> None:
        self.settings = settings


@dataclass
class PlayedParts:
    """Installs everything, and fails to start where it is told to."""

    at_compile: Mapping[str, AppError] = field(default_factory=dict)
    at_proof: Mapping[str, AppError] = field(default_factory=dict)
    in_files: Iterable[AppError] = ()
    tried: list[str] = field(default_factory=list)
    required: list[tuple[str, ...]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    name = "zappa"
    setting_names: SettingNames = field(default_factory=dict)

    def requirements(self, built_from: Path) -> tuple[str, ...]:
        return ()

    def problems(self, root: Path, stage: str | None, app: App, options: Options) -> Iterable[AppError]:
        return self.in_files

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, log: BuildLog, warn: BuildLog) -> Built:
        self.tried.append(source.python)
        self.required.append(requirements)
        return Built(source, "", None, ("flask is not declared",))

    def compile(self, built: Built, work: Path, log: BuildLog, ahead: Ahead) -> Draft:
        ahead(work / "code", None)
        _raise(self.at_compile.get(built.source.python))
        (work / "code").mkdir()
        (work / "code" / "app.py").write_text("")
        logs = {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]}
        able = {**role(), "Properties": {**role()["Properties"], **logs}}
        return Draft({"Resources": {"App": function(), "Role": able}}, work / "code", "App")

    @contextmanager
    def standby(self, built: Built, work: Path) -> Iterator[SimpleNamespace]:
        begun: list[Path] = []
        try:
            yield SimpleNamespace(begin=lambda code, _: begun.append(code), begun=begun)
        finally:
            self.ended.append(built.source.python)

    def prove(
        self, draft: Draft, built: Built, code_zip: Path, work: Path, log: BuildLog, standby: SimpleNamespace
    ) -> Proof:
        assert (standby.begun, list(work.iterdir())) == ([draft.code], [])
        _raise(self.at_proof.get(built.source.python))
        return Proof(1, 1, 1)


def _raise(error: AppError | None) -> None:
    if error:
        raise error


def build(tmp_path: Path, parts: PlayedParts, listener: Listener, python: str | None = None) -> ProvenApp:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "")
        archive.writestr("zappa_settings.json", '{"dev": {"app_function": "app.app"}}')
        if python:
            archive.writestr("auto-lambda.toml", f'python = "{python}"')
    (tmp_path / "app.zip").write_bytes(packed.getvalue())
    return build_zip(tmp_path, parts, listener)


def build_zip(tmp_path: Path, parts: PlayedParts, listener: Listener, framework: str = "zappa") -> ProvenApp:
    played = cast(Parts, SimpleNamespace(frameworks={framework: parts}, dependencies=parts, prover=parts))
    request = AppRequest(name="shop", stage="dev", python="3.13", pythons=PYTHONS, today="2026-11-28")
    (tmp_path / "work").mkdir()
    file = os.open(tmp_path / "app.zip", os.O_RDONLY)
    return build_app(request, file, played, tmp_path / "work", cast(Any, listener))


def test_values_of_variables_are_hidden_before_anything_of_the_app_runs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("app.py", "")
        archive.writestr("zappa_settings.json", '{"dev": {"app_function": "app.app"}}')
        archive.writestr("auto-lambda.toml", '[environment]\nPASSWORD = "correct-horse-battery"\n')
    parts, hidden = PlayedParts(), list[tuple[set[str], list[str]]]()
    played = cast(Parts, SimpleNamespace(frameworks={"zappa": parts}, dependencies=parts, prover=parts))
    request = AppRequest(name="shop", stage="dev", python="3.13", pythons=PYTHONS, today="2026-11-28")
    (tmp_path / "work").mkdir()
    file = os.open(tmp_path / "app.zip", os.O_RDONLY)
    build_app(
        request, file, played, tmp_path / "work", cast(Any, Listener()),
        lambda values: hidden.append((set(values), list(parts.tried))),
    )  # fmt: skip
    assert hidden == [({"correct-horse-battery"}, [])]


def test_what_the_files_alone_show_is_told_all_at_once_before_anything_is_resolved_or_built(tmp_path: Path) -> None:
    wrong = [AppError(Code.HANDLER_MISSING, what, hint="Define it.") for what in ("no shop.a", "no shop.b")]
    parts, listener = PlayedParts(in_files=wrong), Listener()
    with pytest.raises(AppError) as caught:
        build(tmp_path, parts, listener)
    assert all(one.message in caught.value.message for one in wrong)
    assert listener.steps == ["unpack", "inspect"]
    assert parts.tried == []


def test_a_release_command_is_for_zappa_apps(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("app.py", "from chalice import Chalice\napp = Chalice('shop')\n")
        archive.writestr(".chalice/config.json", '{"version": "2.0", "app_name": "shop"}')
        archive.writestr("auto-lambda.toml", '[release]\ncall = "app.prepare"\n')
    parts = PlayedParts()
    with pytest.raises(AppError, match="for zappa apps, and this one is chalice"):
        build_zip(tmp_path, parts, Listener(), framework="chalice")
    assert parts.tried == []


def test_settings_that_the_zip_does_not_hold_are_shown(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("shop/main.py", "import flask\napp = flask.Flask(__name__)\n")
    parts, listener = PlayedParts(), Listener()
    build_zip(tmp_path, parts, listener)
    assert listener.settings == GuessedSettings("shop/zappa_settings.json", '{"dev": {"app_function": "main.app"}}')


def test_what_imports_pkg_resources_gets_the_setuptools_that_has_it_once(tmp_path: Path) -> None:
    lacking = mark(AppError(Code.APP_DOES_NOT_IMPORT, "no pkg_resources", hint="Add it."), missing="pkg_resources")
    parts, listener = PlayedParts(at_proof={"3.13": lacking}), Listener()
    with pytest.raises(AppError) as caught:
        build(tmp_path, parts, listener)
    assert caught.value.message == "no pkg_resources"  # it is pinned to another one, for instance
    assert parts.required == [(), ("setuptools<81",)]
    assert listener.warnings[1:] == [NeedsSetuptools.warning]


def curable(message: str = DIED) -> AppError:
    return OtherPythonMayDo(Code.APP_DOES_NOT_IMPORT, message, hint="Do something.")


def test_an_app_that_works_on_the_default_stays_there(tmp_path: Path) -> None:
    parts, listener = PlayedParts(), Listener()
    assert build(tmp_path, parts, listener).built.source.python == "3.13"
    assert parts.tried == ["3.13"]
    assert listener.warnings == ["flask is not declared"]


@pytest.mark.parametrize("where", ["at_compile", "at_proof"])
def test_an_app_that_fails_on_the_newest_runs_on_the_newest_that_works(tmp_path: Path, where: str) -> None:
    fails = {"3.13": curable(), "3.12": curable("does not start:\nImportError: other")}
    parts = PlayedParts(at_compile=fails) if where == "at_compile" else PlayedParts(at_proof=fails)
    listener = Listener()
    package = build(tmp_path, parts, listener)
    assert package.built.source.python == "3.11"
    assert package.code_zip.is_file()
    assert parts.tried == ["3.13", "3.12", "3.11"]
    assert listener.pythons[-1] == "3.11"
    assert listener.warnings[-1].startswith(
        "Python 3.11 is used, as the app fails on 3.13 (ModuleNotFoundError: No mod"
    )
    assert listener.warnings[-1].endswith('python = "3.11" in auto-lambda.toml fixes it')


@pytest.mark.parametrize("where", ["at_compile", "at_proof"])
def test_what_stands_by_for_the_proof_is_ended_each_time(tmp_path: Path, where: str) -> None:
    fails = {"3.13": curable()}
    parts = PlayedParts(at_compile=fails) if where == "at_compile" else PlayedParts(at_proof=fails)
    build(tmp_path, parts, Listener())
    assert parts.ended == ["3.13", "3.12"]


def test_steps_and_warnings_are_told_once(tmp_path: Path) -> None:
    listener = Listener()
    build(tmp_path, PlayedParts(at_proof={"3.13": curable()}), listener)
    assert listener.steps == ["unpack", "inspect", "build", "compile", "prove"]
    assert listener.warnings.count("flask is not declared") == 1


@pytest.mark.parametrize(
    ("python", "error", "tried"),
    [
        ("3.13", curable, ["3.13"]),
        (None, lambda: AppError(Code.MISSING_ENVIRONMENT, "TABLE", hint="Set it."), ["3.13"]),
    ],
)
def test_a_named_python_and_any_other_failure_end_it(
    tmp_path: Path, python: str | None, error: Callable[[], AppError], tried: list[str]
) -> None:
    parts = PlayedParts(at_proof={"3.13": error()})
    with pytest.raises(AppError):
        build(tmp_path, parts, Listener(), python)
    assert parts.tried == tried


def test_the_first_failure_is_told_if_it_works_on_none(tmp_path: Path) -> None:
    parts = PlayedParts(at_proof={"3.13": curable(), "3.12": curable("another"), "3.11": curable("yet another")})
    with pytest.raises(AppError, match="cgi") as caught:
        build(tmp_path, parts, Listener())
    assert parts.tried == ["3.13", "3.12", "3.11"]
    assert "3.12 (another), 3.11 (yet another)" in (caught.value.hint or "")


def test_what_has_nothing_to_do_with_python_is_told_first(tmp_path: Path) -> None:
    unset = AppError(Code.MISSING_ENVIRONMENT, "TABLE is not set", hint="Set it.")
    parts = PlayedParts(at_proof={"3.13": curable(), "3.12": unset, "3.11": curable("yet another")})
    with pytest.raises(AppError, match="TABLE"):
        build(tmp_path, parts, Listener())
