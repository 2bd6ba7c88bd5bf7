"""The way of one upload: each step in order, each on the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.frameworks.base import Framework
from worker.model import Built, Bundle, Deployment, Draft, FrameworkName, Proof, Say, Source, Upload
from worker.receipt import Report


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
        self, bundle: Bundle, previous: str | None, say: Say, verifying: Callable[[], AbstractContextManager[None]]
    ) -> Deployment:
        """``previous`` is the template key of what was live before; ``verifying`` wraps the trying out."""


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

    source: Source
    deployment: Deployment


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
        self, upload: Upload, report: Report, *, previous: str | None, before_deploy: Callable[[], None]
    ) -> Released:
        """Take one upload all the way.

        Args:
            upload: what to make live.
            report: is told each step.
            previous: template key of what is live now.
            before_deploy: called when only the effects are left; what it raises ends the run.

        Raises:
            AppError: the uploader can fix it. Whatever else is raised is ours.
        """
        with self._workroom() as work:
            source, bundle = self._compile(upload, report, work)
            before_deploy()
            with report.step("deploy"):
                deployment = self._steps.deployer.deploy(bundle, previous, report.say, lambda: report.step("verify"))
        return Released(source, deployment)

    def _compile(self, upload: Upload, report: Report, work: Path) -> tuple[Source, Bundle]:
        steps = self._steps
        source = self._source(upload, report, work)
        framework = steps.frameworks[source.framework]
        with report.step("build"):
            built = steps.builder.build(source, framework.requirements(source.root), _made(work / "build"), report.say)
            _warn(report, built.warnings)
        with report.step("compile"):
            draft = framework.compile(built, _made(work / "compile"), report.say)
            bundle = steps.assemble(draft, built, _made(work / "bundle"))
            _warn(report, (*draft.warnings, *bundle.warnings))
        with report.step("prove"):
            proof = steps.prove(draft, bundle, built, _made(work / "prove"), report.say)
            report.proved(proof)
            _warn(report, proof.warnings)
        return source, bundle

    def _source(self, upload: Upload, report: Report, work: Path) -> Source:
        with report.step("fetch"):
            fetched = self._steps.fetch(upload, _made(work / "fetch"))
            report.fetched(fetched.upload, fetched.sha256, fetched.size)
            report.say(f"{fetched.size:,} bytes, sha256 {fetched.sha256}")
        with report.step("unpack"):
            self._steps.unpack(fetched.path, _made(work / "tree"))
        with report.step("inspect"):
            source = self._steps.inspect(fetched, work / "tree")
            report.inspected(source)
            _warn(report, source.warnings)
            stage = f"stage {source.config_stage}"
            report.say(f"{source.framework}, {stage}, Python {source.python}, {source.architecture}")
        return source


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _warn(report: Report, warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        report.warn(warning)
