"""The way of an upload through a builder: from the zip to a proven package."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Protocol

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import GuessedSettings, Proof
from builder.compose import Parts
from builder.dependencies.zips import UnsafeTree, write_zip
from builder.diagnosis.other_python import NeedsSetuptools, OtherPythonMayDo, on_all
from builder.frameworks.functions import SETTING_NAMES, with_functions
from builder.frameworks.health_request import with_health_request
from builder.frameworks.throttle import with_throttle
from builder.lint import rights
from builder.lint.lint import lint
from builder.model import Built, Draft, LockedPackages, Source
from builder.package_size import check_package_size
from builder.protocol.files import describe
from builder.protocol.flex import FlexMessage
from builder.protocol.messages import AppBuilt, AppRequest, NotificationMessage, ProofMessage, Step
from builder.protocol.template_shape import check_shape
from builder.source.confidential import confidential_values
from builder.source.documents import bad_config
from builder.source.inspect import examine
from builder.source.options import FILE
from builder.source.python_path import add_layer
from builder.source.runtime import Defaults, how_to_fix
from builder.source.unpack import unpack_file
from builder.template_limits import check_limits


class BuildProgress(Protocol):
    """Who hears how a build goes on."""

    def step(self, step: Step) -> None:
        """Begin a step."""

    def say(self, text: str) -> None:
        """Add lines to the uploader's log."""

    def warn(self, text: str) -> None:
        """Add a warning to the receipt."""

    def recognised(self, source: Source) -> None:
        """Report the app's framework and target."""

    def guessed(self, settings: GuessedSettings) -> None:
        """Report the settings that are used, as the zip holds none."""


@dataclass(frozen=True, slots=True)
class ProvenApp:
    """A proven app: its code zip, and all else that the worker needs to deploy it."""

    built: Built
    draft: Draft
    code_zip: Path
    proof: Proof


def build_app(
    request: AppRequest,
    zip_file: int,
    parts: Parts,
    work: Path,
    progress: BuildProgress,
    hide: Callable[[Iterable[str]], None] = lambda _: None,
) -> ProvenApp:
    """Take an upload's zip all the way to a proven package.

    Args:
        request: which app it is, and what holds where it says nothing.
        zip_file: the zip, open for reading; closed here.
        parts: what to build it with.
        work: an empty writable folder.
        progress: hears how it goes on.
        hide: takes values of the app's variables that nobody is to read in a log.

    Raises:
        AppError: the uploader can fix it.
        OurTrouble: our side failed.
    """
    progress.step("unpack")
    with os.fdopen(zip_file, "rb") as file:
        _warn(progress, unpack_file(file, work / "tree"))
    progress.step("inspect")
    source = _inspected(request, work / "tree", parts, progress, hide)
    return _climb(source, parts, work, _Once(progress))


class _Once:
    """Begins each step and gives each warning once, however many Pythons are tried."""

    def __init__(self, progress: BuildProgress) -> None:
        self._progress = progress
        self._done: set[str] = set()
        self.say = progress.say
        self.recognised = progress.recognised
        self.guessed = progress.guessed

    def step(self, step: Step) -> None:
        if step not in self._done:
            self._done.add(step)
            self._progress.step(step)

    def warn(self, text: str) -> None:
        if text not in self._done:
            self._done.add(text)
            self._progress.warn(text)


def _climb(source: Source, parts: Parts, work: Path, progress: BuildProgress) -> ProvenApp:
    """Build, compile and prove; where the app fails on a Python but may work on another of its own, go on with that."""
    failures: list[tuple[str, AppError]] = []
    added: tuple[str, ...] = ()
    while True:
        place = _made(work / "-".join([f"python{source.python}", *added]))
        built = None
        try:
            built = _built(source, added, parts, place, progress)
            package = _compiled_and_proven(built, parts, place, progress)
        except AppError as error:
            tried = built.source if built else source
            if isinstance(error, NeedsSetuptools) and not added:
                added = (error.requirement,)
                progress.warn(error.warning)
                source = tried
                continue
            others = tuple(one for one in tried.other_pythons if not (work / f"python{one}").exists())
            if not (isinstance(error, OtherPythonMayDo) or failures) or not others:
                raise on_all([*failures, (tried.python, error)]) from None
            failures.append((tried.python, error))
            progress.say(f"the app does not start on Python {tried.python}, trying {others[0]}: {error}")
            source = replace(tried, python=others[0], other_pythons=others[1:])
            progress.recognised(source)
        else:
            for python, failure in failures[:1]:
                used = built.source.python
                why = failure.message.strip().splitlines()[-1][:300]
                progress.warn(f"Python {used} is used, as the app fails on {python} ({why}): {how_to_fix(used)}")
            return package


def _built(source: Source, added: tuple[str, ...], parts: Parts, work: Path, progress: BuildProgress) -> Built:
    progress.step("build")
    requirements = (*parts.frameworks[source.framework].requirements(source.root), *added)
    built = parts.dependencies.build(source, requirements, _made(work / "build"), progress.say, progress.warn)
    _warn(progress, built.warnings)
    if built.source.python != source.python:  # the dependencies wanted another
        progress.recognised(built.source)
    return built


def _compiled_and_proven(built: Built, parts: Parts, work: Path, progress: BuildProgress) -> ProvenApp:
    progress.step("compile")
    framework = parts.frameworks[built.source.framework]
    proving, options = _made(work / "prove"), built.source.options
    with parts.prover.standby(built, proving) as standby:
        compiled = framework.compile(built, _made(work / "compile"), progress.say, standby.begin)
        draft = with_throttle(with_functions(compiled, options.functions, built.source.python), options.throttle)
        draft = with_health_request(_reaching_layer(draft), options.asked_path, built.source.app.stage)
        code_zip = _zipped(draft, built, work / "code.zip")
        lint(draft.template, {**SETTING_NAMES, **framework.setting_names}, options.environment)
        _warn(progress, (*draft.warnings, *rights.warnings(draft.template)))
        progress.step("prove")
        proof = parts.prover.prove(draft, built, code_zip, proving, progress.say, standby)
    _warn(progress, proof.warnings)
    return ProvenApp(built, draft, code_zip, proof)


def as_message(package: ProvenApp, opened: ExitStack) -> tuple[AppBuilt, Sequence[int]]:
    """Return the message that ends a build, with its open files, which ``opened`` closes."""
    built, draft, proof = package.built, package.draft, package.proof
    layer, source = built.layer, package.built.source
    paths = [(package.code_zip, "code.zip")]
    if layer and not layer.shared:
        paths.append((layer.zip, "layer.zip"))
    files = [describe(path, name, opened) for path, name in paths]
    message = AppBuilt(
        framework=source.framework,
        python=source.python,
        architecture=source.architecture,
        template=draft.template,
        main=draft.main,
        url=draft.url,
        notifications=[
            NotificationMessage(
                bucket=one.bucket,
                function=one.function,
                events=list(one.events),
                prefix=one.prefix,
                suffix=one.suffix,
                called=list(one.called),
            )
            for one in draft.notifications
        ],
        environment=dict(source.options.environment),
        health_path=source.options.asked_path,
        asked=draft.known_front or (draft.url is not None and source.options.health_path is not None),
        lock=built.lock,
        retain=source.options.retention.releases or draft.retain,
        log_days=source.options.retention.log_days,
        domains=list(draft.domains),
        serves=draft.serves,
        flex=_flex(source.options.flex, draft),
        traffic=source.options.traffic,
        release=dict(source.options.release) if source.options.release else None,
        shared_layer=layer.shared if layer else None,
        proof=ProofMessage(
            init_ms=proof.init_ms, package_bytes=proof.package_bytes, package_zip_bytes=proof.package_zip_bytes
        ),
        files=[file for file, _ in files],
    )
    return message, [descriptor for _, descriptor in files]


def _flex(said: FlexMessage | None, draft: Draft) -> FlexMessage | None:
    """Return what ``[flex]`` says, with the variant that the framework's own settings ask for."""
    if said and draft.load_balancer:
        return said.model_copy(update={"variant": "standing-load-balancer"})
    return said


def _inspected(
    request: AppRequest, tree: Path, parts: Parts, progress: BuildProgress, hide: Callable[[Iterable[str]], None]
) -> Source:
    """Inspect the app, and check its files, so that what they alone show to be wrong is told at once."""
    today = date.fromisoformat(request.today)
    defaults = Defaults(request.python, tuple(request.pythons), today=today, replace_retired=request.replace_retired)
    app = App(request.stage, request.name)
    found = examine(app, tree, defaults)
    source = found.source
    if source and request.locked:
        told = request.locked
        source = replace(source, locked=LockedPackages(told.text, told.python, told.architecture))
    if source:
        hide(confidential_values(source))
        progress.recognised(source)
        if source.guessed:
            progress.guessed(source.guessed)
        _warn(progress, source.warnings)
        progress.say(f"{source.framework}, stage {source.config_stage}, Python {source.python}, {source.architecture}")
    framework = parts.frameworks[found.framework]
    if found.options.release and found.framework != "zappa":
        what = f"[release] is for zappa apps, and this one is {found.framework}"
        found.problems.note([bad_config(FILE, what, hint="Take it out: the functions of other apps take no commands.")])
    found.problems.note(framework.problems(found.root, found.stage, app, found.options))
    found.problems.raise_all()
    assert source  # noqa: S101 - without problems, there is one
    return source


def _reaching_layer(draft: Draft) -> Draft:
    """Let functions with a PYTHONPATH of their own find the dependencies."""
    for resource in draft.template["Resources"].values():
        environment = resource.get("Properties", {}).get("Environment")
        if resource["Type"] == "AWS::Lambda::Function" and isinstance(environment, dict):
            environment["Variables"] = add_layer(environment.get("Variables", {}))
    return draft


def _zipped(draft: Draft, built: Built, to: Path) -> Path:
    check_limits(draft.template)
    check_shape(draft.template, draft.main, (one.function for one in draft.notifications))
    check_package_size(draft.code, built)
    try:
        write_zip(draft.code, to)
    except UnsafeTree as error:
        raise AppError(
            Code.COMPILE_FAILED,
            f"The compiled code cannot be zipped: {error}.",
            hint="Package plain files only: replace links by what they point at.",
        ) from error
    return to


def _warn(progress: BuildProgress, warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        progress.warn(warning)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
