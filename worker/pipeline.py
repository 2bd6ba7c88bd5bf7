"""The way of one upload: each step in order, each on the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auto_lambda.errors import AppError
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, FrameworkName, Proof, Say
from builder.frameworks.base import Framework
from builder.model import Built, Draft, Source
from worker.model import Bundle, Deployment, Release, Upload
from worker.records.receipt import Report, Step


class Fetched(Protocol):
    """A zip on disk. ``upload`` has version and size filled in; ``size`` in bytes."""

    @property
    def upload(self) -> Upload: ...  # noqa: D102
    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102


class Builder(Protocol):
    """Makes the dependency layer."""

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> Built:
        """Resolve and install; ``requirements`` are the framework's own."""


class Deployer(Protocol):
    """Makes a bundle live, and sees that it answers."""

    def deploy(
        self,
        bundle: Bundle,
        previous: str | None,
        log: BuildLog,
        verifying: Callable[[], AbstractContextManager[None]],
        effect: Callable[[str], AbstractContextManager[None]],
        condemned: AppError | None = None,
    ) -> Deployment:
        """``previous`` is the template key of what was live before.

        ``verifying`` wraps the trying out, ``effect`` each change in AWS. ``condemned``: it was deployed before, and
        this is what was wrong with it.
        """

    def stored(self, app: App, template_key: str) -> Bundle | None:
        """A release that was stored before; None if it is not there any more."""


Effect = Callable[[str], AbstractContextManager[None]]
"""Makes the context of a change in AWS, by name; what it raises ends the work before the change."""


class Restore(Protocol):
    """Deploys what was live again; None if that cannot be done, and the reason is told."""

    def __call__(self, app: App, template_key: str | None, previous: str, log: BuildLog) -> Deployment | None:
        """``template_key`` is of what may have been deployed since, ``previous`` of what was live."""


class Remove(Protocol):
    """Takes an app out of AWS."""

    def __call__(self, app: App, previous: str | None, log: BuildLog, effect: Effect) -> None:
        """``previous`` is the template key of what is live."""


class Guard(Protocol):
    """Says whether to go on, and is told of changes. What it raises ends the run."""

    release: Release | None
    """What was built, once it is: at first, what a predecessor has built and stored."""
    verdict: AppError | None
    """What a predecessor found wrong with it, once it was deployed."""

    def before(self, step: Step) -> None:
        """A step is about to begin."""

    def effect(self, step: str) -> AbstractContextManager[None]:
        """What happens inside changes something in AWS."""


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
class Released:
    """What went live, and from what."""

    release: Release
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A report that begins no step which is not wanted."""

    report: Report
    guard: Guard

    @contextmanager
    def step(self, name: Step) -> Iterator[None]:
        self.guard.before(name)
        with self.report.step(name):
            yield


class Pipeline:
    """Runs the steps in a work folder of their own, which is gone afterwards.

    Args:
        steps: the collaborators.
        workroom: gives an empty folder, and removes it.
    """

    def __init__(self, steps: Steps, workroom: Callable[[], AbstractContextManager[Path]]) -> None:
        self._steps = steps
        self._workroom = workroom

    def run(
        self, upload: Upload, report: Report, *, previous: str | None, guard: Guard, again: Release | None = None
    ) -> Released:
        """Take one upload all the way.

        Args:
            upload: what to make live.
            report: is told each step.
            previous: template key of what is live now.
            guard: asked before each step and around each effect.
            again: the release that a rollback asks for.

        Raises:
            AppError: the uploader can fix it. Whatever else is raised is ours.
        """
        steps = _Guarded(report, guard)
        with self._workroom() as work:
            finished = self._finished(upload, steps)
            if finished is None:
                guard.verdict = None  # it was about what is not there any more
            release, bundle = finished or self._from_zip(upload, steps, work, again)
            guard.release = release
            with steps.step("deploy"):
                deployment = self._steps.deployer.deploy(
                    bundle,
                    previous,
                    report.say,
                    lambda: report.step("verify"),
                    guard.effect,
                    guard.verdict,
                )
        return Released(release, deployment)

    def _finished(self, upload: Upload, guarded: _Guarded) -> tuple[Release, Bundle] | None:
        """What a predecessor has built, proved and stored of this very upload."""
        release = guarded.guard.release
        bundle = self._steps.deployer.stored(upload.app, release.template_key) if release else None
        if release is None or bundle is None:
            return None
        guarded.report.resumed(release)
        return release, bundle

    def _from_zip(self, upload: Upload, guarded: _Guarded, work: Path, again: Release | None) -> tuple[Release, Bundle]:
        fetched = self._fetched(upload, guarded, work)
        return self._earlier(fetched, guarded.report, again) or self._compile(fetched, guarded, work)

    def _fetched(self, upload: Upload, guarded: _Guarded, work: Path) -> Fetched:
        with guarded.step("fetch"):
            fetched = self._steps.fetch(upload, _made(work / "fetch"))
            guarded.report.fetched(fetched.upload, fetched.sha256, fetched.size)
            guarded.report.say(f"{fetched.size:,} bytes, sha256 {fetched.sha256}")
        return fetched

    def _earlier(self, fetched: Fetched, report: Report, again: Release | None) -> tuple[Release, Bundle] | None:
        """What was live before and is asked for again, if the zip is the one that it was made from."""
        if again is None:
            return None
        if again.sha256 != fetched.sha256:
            report.warn("this zip is not the one that the release asked for was made from: it is built anew")
            return None
        bundle = self._steps.deployer.stored(fetched.upload.app, again.template_key)
        if bundle is None:
            report.warn(f"{again.template_key}, which is asked for again, is not stored any more: it is built anew")
            return None
        report.taken_again(again)
        return again, bundle

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
