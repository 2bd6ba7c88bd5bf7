"""Takes one upload from fetch to verification: each step in order, each on the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auto_lambda.errors import AppError
from auto_lambda.model import FrameworkName, Proof, Say
from auto_lambda.receipts import Step
from builder.frameworks.base import Framework
from builder.model import Built, Draft, Source
from worker.deploy import DeployContext, Deployer
from worker.fetch import Fetched
from worker.guard import Guard
from worker.model import Bundle, Release, Upload
from worker.outcome import AttemptOutcome, Failed, Live, outcome_of_run
from worker.records.receipt import Report


class Builder(Protocol):
    """Makes the dependency layer."""

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> Built:
        """Resolve and install; ``requirements`` are the framework's own."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Who does what. Each raises `AppError` for what the uploader can fix; anything else is our failure."""

    fetch: Callable[[Upload, Path], Fetched]
    unpack: Callable[[Path, Path], None]
    inspect: Callable[[Fetched, Path], Source]
    builder: Builder
    frameworks: Mapping[FrameworkName, Framework]
    assemble: Callable[[Draft, Built, Path], Bundle]
    deployer: Deployer
    prove: Callable[[Draft, Bundle, Built, Path, Say], Proof]


@dataclass(frozen=True, slots=True)
class Task:
    """One upload to make live, with everything that all steps share.

    Attributes:
        upload: what to make live.
        report: takes each step.
        guard: asked before each step and around each change.
        previous: template key of what is live now.
        resumed: the release of this very upload that an earlier worker has built, proved and stored.
        known_failure: how that release failed, once it was deployed.
        rollback: the release that a rollback asks for.
    """

    upload: Upload
    report: Report
    guard: Guard
    previous: str | None = None
    resumed: Release | None = None
    known_failure: AppError | None = None
    rollback: Release | None = None


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A report that starts no step whose result is not wanted."""

    report: Report
    guard: Guard

    @contextmanager
    def step(self, name: Step) -> Iterator[None]:
        self.guard.before_step(name)
        with self.report.step(name):
            yield


class Pipeline:
    """Runs the steps in a work folder of their own, which is removed afterwards.

    Args:
        steps: the collaborators.
        workroom: gives an empty folder, and removes it.
    """

    def __init__(self, steps: Steps, workroom: Callable[[], AbstractContextManager[Path]]) -> None:
        self._steps = steps
        self._workroom = workroom

    def run(self, task: Task) -> AttemptOutcome:
        """Take one upload all the way. Never raises: every failure is an outcome."""
        return outcome_of_run(lambda: self._run(task), task.guard.check)

    def _run(self, task: Task) -> Live | Failed:
        report, guarded = task.report, _Guarded(task.report, task.guard)
        with self._workroom() as work:
            resumed = self._resume(task)
            release, bundle = resumed or self._from_zip(task, guarded, work)
            # The failure is that of the earlier worker's release; it says nothing about one that is built anew.
            known_failure = task.known_failure if resumed else None
            context = DeployContext(
                report.say, effect=task.guard.effect_of(release, known_failure), verifying=lambda: report.step("verify")
            )
            with guarded.step("deploy"):
                deployed = self._steps.deployer.deploy(bundle, task.previous, context, known_failure)
        return deployed if isinstance(deployed, Failed) else Live(release, deployed)

    def _resume(self, task: Task) -> tuple[Release, Bundle] | None:
        """Return what an earlier worker has built, proved and stored of this very upload."""
        release = task.resumed
        bundle = self._steps.deployer.stored(task.upload.app, release.template_key) if release else None
        if release is None or bundle is None:
            return None
        task.report.resumed(release)
        return release, bundle

    def _from_zip(self, task: Task, guarded: _Guarded, work: Path) -> tuple[Release, Bundle]:
        fetched = self._fetched(task.upload, guarded, work)
        return self._roll_back(fetched, task) or self._compile(fetched, guarded, work)

    def _fetched(self, upload: Upload, guarded: _Guarded, work: Path) -> Fetched:
        with guarded.step("fetch"):
            fetched = self._steps.fetch(upload, _made(work / "fetch"))
            guarded.report.fetched(fetched.upload, fetched.sha256, fetched.size)
            guarded.report.say(f"{fetched.size:,} bytes, sha256 {fetched.sha256}")
        return fetched

    def _roll_back(self, fetched: Fetched, task: Task) -> tuple[Release, Bundle] | None:
        """Return the release that a rollback asks for, if the zip is the one that it was made from."""
        release, report = task.rollback, task.report
        if release is None:
            return None
        if release.sha256 != fetched.sha256:
            report.warn("this zip is not the one that the release asked for was made from: it is built anew")
            return None
        bundle = self._steps.deployer.stored(fetched.upload.app, release.template_key)
        if bundle is None:
            report.warn(f"{release.template_key}, which is asked for again, is not stored any more: it is built anew")
            return None
        report.restored_release(release)
        return release, bundle

    def _compile(self, fetched: Fetched, guarded: _Guarded, work: Path) -> tuple[Release, Bundle]:
        steps, report = self._steps, guarded.report
        source = self._source(fetched, guarded, work)
        framework = steps.frameworks[source.framework]
        with guarded.step("build"):
            built = steps.builder.build(source, framework.requirements(source.root), _made(work / "build"), report.say)
            _warn(report, built.warnings)
            if built.source != source:  # the dependencies wanted another Python
                source = built.source
                report.inspected(source)
        with guarded.step("compile"):
            draft = framework.compile(built, _made(work / "compile"), report.say)
            bundle = steps.assemble(draft, built, _made(work / "bundle"))
            _warn(report, (*draft.warnings, *bundle.warnings))
        with guarded.step("prove"):
            proof = steps.prove(draft, bundle, built, _made(work / "prove"), report.say)
            report.proved(proof)
            _warn(report, proof.warnings)
        return _release(source, bundle, proof, report), bundle

    def _source(self, fetched: Fetched, guarded: _Guarded, work: Path) -> Source:
        report = guarded.report
        with guarded.step("unpack"):
            self._steps.unpack(fetched.path, _made(work / "tree"))
        with guarded.step("inspect"):
            source = self._steps.inspect(fetched, work / "tree")
            report.inspected(source)
            _warn(report, source.warnings)
            stage = f"stage {source.config_stage}"
            report.say(f"{source.framework}, {stage}, Python {source.python}, {source.architecture}")
        return source


def _release(source: Source, bundle: Bundle, proof: Proof, report: Report) -> Release:
    return Release(
        template_key=bundle.template_key,
        object_version=source.upload.version,
        sha256=source.sha256,
        size=source.size,
        framework=source.framework,
        python=source.python,
        architecture=source.architecture,
        proof=proof,
        timings={step: round(seconds, 3) for step, seconds in report.timings.items()},
        warnings=report.receipt.warnings,
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _warn(report: Report, warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        report.warn(warning)
