"""Takes one upload from fetch to verification: each step in order, each on the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from auto_lambda import logs
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Architecture, FrameworkName, GuessedSettings, Proof
from auto_lambda.receipts import Permissions, Step
from auto_lambda.redact import confidential
from builder.protocol.messages import LockedMessage, ProofMessage
from worker.ahead import Ahead
from worker.builds.client import BuiltApp
from worker.builds.conversation import BuildListener
from worker.bundle.costs import standing_costs
from worker.bundle.pointers import RELEASE_VARIABLE
from worker.deploy.context import DeployContext
from worker.deploy.deployer import Deployer
from worker.deploy.gate.access import AppAccess, Rights
from worker.deploy.outlook import Outlook
from worker.deploy.rights.review import Review
from worker.fetch import Fetched
from worker.guard import Guard
from worker.model import Bundle, Release, Upload
from worker.outcome import AttemptOutcome, Failed, Live, outcome_of_run
from worker.records.ledger import PastRelease
from worker.records.receipt import Report
from worker.rollback import promoted_release
from worker.traffic.policy import require_gradual
from worker.traffic.shift import Shift

_NEAR_THE_END: Step = "compile"
_JUST_NOW = 5.0  # seconds
_log = logs.get("pipeline")

Build = Callable[[Fetched, Path, BuildListener, LockedMessage | None], BuiltApp]
"""Has a zip built into an empty folder, perhaps with the packages of an earlier build, and tells how it goes on."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Who does what. Each raises `AppError` for what the uploader can fix; anything else is our failure."""

    fetch: Callable[[Upload, Path], Fetched]
    build: Build
    access: Callable[[App], AppAccess]
    revision: Callable[[App], str | None]
    assemble: Callable[[AppAccess, BuiltApp, Path, str | None], Bundle]
    renew: Callable[[Bundle, AppAccess, Path, str | None], Bundle]
    deployer: Deployer


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
        shift: where an earlier worker has left the shift of its traffic.
        rollback: the release that a rollback asks for.
        promoted: the release of another stage whose packages a promotion asks for.
    """

    upload: Upload
    report: Report
    guard: Guard
    previous: str | None = None
    resumed: Release | None = None
    known_failure: AppError | None = None
    shift: Shift | None = None
    rollback: Release | None = None
    promoted: PastRelease | None = None


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


class AccessChanged(Exception):
    """What an app may reach has changed since its release was made. Passes: the next attempt makes it by what holds."""


class _Reads:
    """What is asked of AWS while something else is done.

    Args:
        steps: who asks.
        task: of which app.

    Attributes:
        access: what the app may reach.
    """

    def __init__(self, steps: Steps, task: Task) -> None:
        app = task.upload.app
        self._read_revision = partial(steps.revision, app)
        self._look = partial(steps.deployer.look, app, task.previous)
        self._read_access = partial(steps.access, app)
        self._access_read = time.monotonic()
        self.access = Ahead(self._read_access)
        self._revision = Ahead(self._read_revision)
        self._outlook: Ahead[Outlook] | None = None
        self._began = 0.0

    def begin(self) -> None:
        """Begin to read what a release is deployed by, unless that began just now."""
        if self._outlook and time.monotonic() - self._began < _JUST_NOW:
            return
        self._began = time.monotonic()
        self._revision, self._outlook = Ahead(self._read_revision), Ahead(self._look)
        self._revision.begin()
        self._outlook.begin()

    def lasting_access(self) -> AppAccess:
        """Return what the app may reach, which has to be what it was when its release was made.

        Raises:
            AccessChanged: it is not.
        """
        access = self.access.result()
        if time.monotonic() - self._access_read >= _JUST_NOW and self._read_access() != access:
            raise AccessChanged("the grants of the app have changed while it was built")
        return access

    def revision(self) -> str | None:
        """Return the revision of the app's configuration."""
        return self._revision.result()

    def outlook(self) -> Outlook | None:
        """Return the app as it is; None if nobody has looked, or that failed: then the deployer looks itself."""
        try:
            return self._outlook.result() if self._outlook else None
        except Exception as error:  # noqa: BLE001 - the deployer meets it, too, if it lasts
            _log.info("not read ahead", error=str(error))
            return None


class _BuildReport:
    """Passes on what a builder tells. A context manager, which ends the builder's last step.

    Args:
        guarded: takes the steps.
        ending: is called when the build is about to end.
    """

    def __init__(self, guarded: _Guarded, ending: Callable[[], None]) -> None:
        self._guarded = guarded
        self._ending = ending
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.__exit__(kind, error, trace)

    def step(self, step: Step) -> None:
        """Begin a step; the one before it has ended."""
        self._running.close()
        if step == _NEAR_THE_END:
            self._ending()
        self._running.enter_context(self._guarded.step(step))

    def say(self, text: str) -> None:
        """Add lines to the log."""
        self._guarded.report.say(text)

    def warn(self, text: str) -> None:
        """Add a warning to the receipt."""
        self._guarded.report.warn(text)

    def recognised(self, framework: FrameworkName, python: str, architecture: Architecture) -> None:
        """Put the app's framework and target into the receipt."""
        self._guarded.report.recognised(framework, python, architecture)

    def guessed(self, settings: GuessedSettings) -> None:
        """Put the settings that are used into the receipt, as the zip holds none."""
        self._guarded.report.guessed(settings)

    def check(self) -> None:
        """Raise when the build is not wanted any more."""
        self._guarded.guard.check()


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
            reads = _Reads(self._steps, task)
            reads.access.begin()
            if not task.shift:  # whose looks mostly change nothing
                reads.begin()
            resumed = self._resume(task, reads, work)
            release, bundle = resumed or self._from_zip(task, reads, guarded, work)
            report.hide(_variables(bundle))
            # The failure is that of the earlier worker's release; it says nothing about one that is built anew.
            known_failure = task.known_failure if resumed else None
            shift = task.shift if resumed else None
            if task.upload.at_once or task.upload.rollback:
                bundle = replace(bundle, traffic=None)
            if shift:
                self._note_shift(task, bundle, shift)
            context = DeployContext(
                report.say,
                effect=task.guard.effect_of(release, known_failure),
                verifying=lambda: report.step("verify"),
                reviewed=lambda found, rights: report.reviewed(_permissions(found, rights), map(str, found.wide)),
                warn=report.warn,
                shift=shift,
                note_shift=lambda shift: self._note_shift(task, bundle, shift),
            )
            with guarded.step("deploy"):
                context, access = replace(context, outlook=reads.outlook()), reads.lasting_access()
                deployed = self._steps.deployer.deploy(bundle, access, task.previous, context, known_failure)
        if not isinstance(deployed, Failed):
            report.priced(standing_costs(bundle.template, bundle.architecture))
            return Live(release, deployed)
        waits = deployed.error.code is Code.NEEDS_APPROVAL
        return replace(deployed, release=release) if waits else deployed

    @staticmethod
    def _note_shift(task: Task, bundle: Bundle, shift: Shift) -> None:
        """Put where the shift of traffic is into the receipt, and into the journal with its next entry."""
        task.guard.traffic = shift.text()
        if bundle.traffic:
            task.report.shifts(bundle.traffic, shift)

    def _resume(self, task: Task, reads: _Reads, work: Path) -> tuple[Release, Bundle] | None:
        """Return what an earlier worker has built, proved and stored of this very upload."""
        release = task.resumed
        bundle = self._steps.deployer.stored(task.upload.app, release.template_key) if release else None
        if release is None or bundle is None:
            return None
        task.report.resumed(release, quietly=task.shift is not None)
        if task.rollback and task.rollback.sha256 == release.sha256:  # restored, not built anew
            bundle = replace(bundle, release_command=None)
        return self._renewed(release, bundle, reads, work)

    def _renewed(self, release: Release, bundle: Bundle, reads: _Reads, work: Path) -> tuple[Release, Bundle]:
        renewed = self._steps.renew(bundle, reads.access.result(), _made(work / "renewed"), reads.revision())
        return replace(release, template_key=renewed.template_key), renewed

    def _from_zip(self, task: Task, reads: _Reads, guarded: _Guarded, work: Path) -> tuple[Release, Bundle]:
        fetched = self._fetched(task.upload, guarded, work)
        reads.access.result()  # nothing is built of an app whose grants cannot be read
        if restored := self._roll_back(fetched, reads, task, work):
            return restored
        return self._compile(fetched, reads, guarded, work, self._locked(fetched, task))

    def _fetched(self, upload: Upload, guarded: _Guarded, work: Path) -> Fetched:
        with guarded.step("fetch"):
            fetched = self._steps.fetch(upload, _made(work / "fetch"))
            guarded.report.fetched(fetched.upload, fetched.sha256, fetched.size)
            guarded.report.say(f"{fetched.size:,} bytes, sha256 {fetched.sha256}")
        return fetched

    def _roll_back(self, fetched: Fetched, reads: _Reads, task: Task, work: Path) -> tuple[Release, Bundle] | None:
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
        return self._renewed(release, replace(bundle, release_command=None), reads, work)

    def _locked(self, fetched: Fetched, task: Task) -> LockedMessage | None:
        """Return the packages of the release that a zip was promoted from."""
        wanted, report = fetched.upload.promotion, task.report
        if wanted is None:
            return None
        release = promoted_release(fetched.upload, task.promoted, fetched.sha256)
        lock = self._steps.deployer.lock(release.template_key) if release else None
        if release is None or lock is None:
            report.warn(f"{wanted}, which this zip was promoted from, is not known with this zip: it is built anew")
            return None
        report.say(f"promoted from {wanted}: the same zip, with the same packages and the settings of this stage")
        return LockedMessage(text=lock, python=release.python, architecture=release.architecture)

    def _compile(
        self, fetched: Fetched, reads: _Reads, guarded: _Guarded, work: Path, locked: LockedMessage | None
    ) -> tuple[Release, Bundle]:
        report, access = guarded.report, reads.access.result()
        with _BuildReport(guarded, reads.begin) as listener:
            built = self._steps.build(fetched, _made(work / "built"), listener, locked)
            bundle = self._steps.assemble(access, built, _made(work / "bundle"), reads.revision())
            if not fetched.upload.rollback:
                require_gradual(bundle.app, access.grants, bundle.traffic)
            for warning in bundle.warnings:
                report.warn(warning)
            proof = _proof(built.result.proof)
            report.proved(proof)
        return _release(fetched, bundle, proof, report), bundle


def _variables(bundle: Bundle) -> frozenset[str]:
    """Return the values of the functions' variables that a function's own error messages may show.

    What the roles' policies name is no secret, and has to be readable where rights are told: the name of a bucket, say.
    """
    resources = bundle.template.get("Resources", {}).values()
    sections = (
        resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for resource in resources
        if resource["Type"] == "AWS::Lambda::Function"
    )
    policies = json.dumps([one.get("Properties") for one in resources if one["Type"].startswith("AWS::IAM::")])
    own = RELEASE_VARIABLE  # part of names that the log shows
    texts = ({name: value for name, value in one.items() if isinstance(value, str) and name != own} for one in sections)
    hidden = frozenset[str]().union(*map(confidential, texts))
    return frozenset(value for value in hidden if value not in policies)


def _permissions(found: Review, rights: Rights) -> Permissions:
    return Permissions.bounded(rights, found.diff.has, found.diff.added, found.diff.removed)


def _proof(told: ProofMessage) -> Proof:
    return Proof(told.init_ms, told.package_bytes, told.package_zip_bytes)


def _release(fetched: Fetched, bundle: Bundle, proof: Proof, report: Report) -> Release:
    return Release(
        template_key=bundle.template_key,
        object_version=fetched.upload.version,
        sha256=fetched.sha256,
        size=fetched.size,
        framework=bundle.framework,
        python=bundle.python,
        architecture=bundle.architecture,
        proof=proof,
        timings={step: round(seconds, 3) for step, seconds in report.timings.items()},
        warnings=report.receipt.warnings,
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
