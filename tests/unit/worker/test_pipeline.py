"""The order of the steps, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.keys import App, Promotion
from auto_lambda.model import Proof
from auto_lambda.redact import Redactor
from builder.protocol.messages import STEPS, AppBuilt, LockedMessage, ProofMessage
from builder.protocol.traffic import TrafficMessage
from worker.builds.client import BuiltApp, CheckedFile
from worker.builds.conversation import BuildListener
from worker.cancellation import Cancelled, NewerUpload
from worker.deploy.context import DeployContext
from worker.deploy.gate.access import AppAccess
from worker.deploy.outlook import Outlook
from worker.deploy.rights.access import UnreadableGrants
from worker.fetch import Fetched
from worker.guard import Effect, Guard
from worker.model import Bundle, Deployment, Release, Upload
from worker.outcome import AttemptOutcome, Delayed, Failed, HandedBack, Live, Superseded
from worker.pipeline import Pipeline, Steps, Task
from worker.records.ledger import PastRelease
from worker.records.receipt import Report, receipt_of

UPLOAD = Upload(App("dev", "shop"), "drops", "apps/dev/shop.zip", "v1")


@dataclass
class OpenGuard(Guard):
    """Lets everything pass until it is to refuse a step, or the work is cancelled."""

    refuses: str = ""
    cancelled: bool = False
    released: Release | None = None

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled("the worker is stopping")

    def before_step(self, step: str) -> None:
        if step == self.refuses:
            raise NewerUpload("a newer upload has come")

    def effect_of(self, release: Release | None, known_failure: AppError | None = None) -> Effect:
        self.released = release
        return lambda _: nullcontext()


class Nowhere:
    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Nobody looks."""


@dataclass
class Fakes:
    """Every collaborator; ``calls`` is the order in which they were called."""

    calls: list[str] = field(default_factory=list)
    fail_at: str = ""
    folders: list[Path] = field(default_factory=list)
    is_stored: bool = True
    renewed_key: str = ""
    waits: AppError | None = None
    unreadable: bool = False
    decided: list[App] = field(default_factory=list)
    template: dict[str, Any] = field(default_factory=dict)
    accesses: list[AppAccess] = field(default_factory=list)
    locked: list[LockedMessage | None] = field(default_factory=list)
    grants: Grants = field(default_factory=Grants)
    read: list[str] = field(default_factory=list)
    blind: bool = False
    outlooks: list[Outlook | None] = field(default_factory=list)
    traffic: TrafficMessage | None = None
    release_command: dict[str, str] | None = None
    deployed: list[Bundle] = field(default_factory=list)

    def lock(self, template_key: str) -> str | None:
        return f"lock of {template_key}" if self.is_stored else None

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fail_at:
            raise AppError(Code.COMPILE_FAILED, name, hint="mend it")

    def _empty(self, folder: Path) -> None:
        assert list(folder.iterdir()) == []
        (folder / "left-over").touch()
        self.folders.append(folder)

    def fetch(self, upload: Upload, into: Path) -> Fetched:
        self._call("fetch")
        self._empty(into)
        return Fetched(replace(upload, size=9), into / "upload.zip", "ab" * 32, 9)

    def build(
        self, fetched: Fetched, into: Path, listener: BuildListener, locked: LockedMessage | None = None
    ) -> BuiltApp:
        self._empty(into)
        self.locked.append(locked)
        for step in STEPS:
            listener.step(step)
            self._call(step)
            if step == "inspect":
                listener.recognised("chalice", "3.12", "x86_64")
            listener.warn(f"from {step}")
        result = AppBuilt(
            framework="chalice", python="3.12", architecture="x86_64", template={}, main="Fn", notifications=[],
            environment={}, health_path="/", lock="lock", shared_layer=None,
            proof=ProofMessage(init_ms=312, package_bytes=7000, package_zip_bytes=5000), files=[],
        )  # fmt: skip
        return BuiltApp(result, CheckedFile(into / "code.zip", "cd" * 32, 1), None)

    def access(self, app: App) -> AppAccess:
        self.decided.append(app)
        if self.unreadable:
            raise UnreadableGrants("grants/dev/shop.json cannot be read")
        return AppAccess(app, self.grants)

    def revision(self, app: App) -> str | None:
        self.read.append("revision")
        return f"revision of {app}"

    def look(self, app: App, previous: str | None) -> Outlook:
        self.read.append(f"look, {previous} is live")
        if self.blind:
            raise OSError("no CloudFormation")
        return Outlook(live={"previous": previous})

    def assemble(self, access: AppAccess, built: BuiltApp, work: Path, revision: str | None) -> Bundle:
        assert revision == f"revision of {access.app}"
        self._call("assemble")
        self.accesses.append(access)
        self._empty(work)
        return self._bundle(access.app)

    def renew(self, bundle: Bundle, access: AppAccess, work: Path, revision: str | None) -> Bundle:
        assert revision == f"revision of {access.app}"
        self._empty(work)
        return replace(bundle, template_key=self.renewed_key or bundle.template_key)

    def _bundle(self, app: App) -> Bundle:
        return Bundle(
            app, "chalice", "3.12", "x86_64", self.template, "bundles/1.json", (), "Fn",
            has_url=False, health_path="/", traffic=self.traffic, release_command=self.release_command,
        )  # fmt: skip

    def stored(self, app: App, template_key: str) -> Bundle | None:
        self._call(f"stored {template_key}")
        return replace(self._bundle(app), template_key=template_key) if self.is_stored else None

    def deploy(
        self,
        bundle: Bundle,
        access: AppAccess,
        previous: str | None,
        context: DeployContext,
        known_failure: AppError | None = None,
    ) -> Deployment | Failed:
        self._call(f"deploy over {previous}")
        self.deployed.append(bundle)
        self.accesses.append(access)
        self.outlooks.append(context.outlook)
        context.warn("from deploy")
        if self.waits:
            return Failed(self.waits)
        if known_failure:
            return Failed(known_failure)
        with context.verifying():
            self._call("verify")
        return Deployment("al", "fn", "1", "live", None, bundle.template_key, changed=True)


def steps(fakes: Fakes) -> Steps:
    return Steps(
        fetch=fakes.fetch,
        build=fakes.build,
        access=fakes.access,
        revision=fakes.revision,
        assemble=fakes.assemble,
        renew=fakes.renew,
        deployer=fakes,  # type: ignore[arg-type]
    )


@pytest.fixture
def report() -> Report:
    return Report(receipt_of(UPLOAD, "w"), "drops", Nowhere(), Redactor())


@pytest.fixture
def room(tmp_path: Path) -> Callable[[], AbstractContextManager[Path]]:
    @contextmanager
    def folder() -> Iterator[Path]:
        work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        work.mkdir()
        yield work

    return folder


ORDER = ["fetch", *STEPS, "assemble"]


ROLLED_BACK = replace(UPLOAD, version="v3", rollback="v1")
EARLIER = Release(
    "bundles/0.json", "v3", "ab" * 32, 9, "zappa", "3.11", "x86_64", Proof(5, 6, 7), warnings=("it was so then",)
)


def run(fakes: Fakes, room: object, report: Report, upload: Upload = UPLOAD, **more: Any) -> AttemptOutcome:
    task = Task(upload, report, **{"guard": OpenGuard(), **more})
    return Pipeline(steps(fakes), room).run(task)  # type: ignore[arg-type]


def test_the_steps_run_in_order_each_in_an_empty_folder_of_its_own(report: Report, room: object) -> None:
    fakes = Fakes()
    live = run(fakes, room, report, previous="bundles/0.json")
    assert isinstance(live, Live)
    assert fakes.calls == [*ORDER, "deploy over bundles/0.json", "verify"]
    assert len(set(fakes.folders)) == len(fakes.folders)
    assert (live.release.sha256, live.deployment.version) == ("ab" * 32, "1")


def test_what_was_built_proved_and_stored_before_goes_straight_to_deploy(report: Report, room: object) -> None:
    second, guard = Fakes(), OpenGuard()
    run(Fakes(), room, report, guard=guard)
    stored = Release.of(guard.released.text()) if guard.released else None
    successor = Report(receipt_of(UPLOAD, "w2"), "drops", Nowhere(), Redactor())
    live = run(second, room, successor, resumed=stored)
    assert isinstance(live, Live)
    assert second.calls == ["stored bundles/1.json", "deploy over None", "verify"]
    assert live.deployment.template_key == "bundles/1.json"
    told, first = successor.receipt, report.receipt
    for name in ("framework", "python", "architecture", "size", "sha256", "object_version", "warnings"):
        assert getattr(told, name) == getattr(first, name), name
    assert told.proof
    assert (told.proof.init_ms, told.proof.package_bytes, told.proof.package_zip_bytes) == (312, 7000, 5000)
    assert set(told.timings) == set(first.timings)
    assert set(successor.timings) == {"deploy", "verify"}


@pytest.mark.parametrize("stored", [True, False])
def test_what_was_found_unhealthy_is_not_tried_again_unless_it_is_built_anew(
    report: Report, room: object, stored: bool
) -> None:
    fakes, failure = Fakes(is_stored=stored), AppError(Code.UNHEALTHY, "502", hint="mend it")
    outcome = run(fakes, room, report, previous="1", resumed=EARLIER, known_failure=failure)
    if not stored:
        assert isinstance(outcome, Live)
        return
    assert outcome == Failed(failure)
    assert fakes.calls == ["stored bundles/0.json", "deploy over 1"]


def test_what_is_not_stored_any_more_is_built_anew(report: Report, room: object) -> None:
    fakes = Fakes(is_stored=False)
    gone = Release("bundles/1.json", "v1", "ab" * 32, 9, "chalice", "3.12", "x86_64", Proof(1, 1, 1))
    run(fakes, room, report, resumed=gone)
    assert fakes.calls == ["stored bundles/1.json", *ORDER, "deploy over None", "verify"]


def test_a_rollback_fetches_the_zip_and_deploys_what_was_live(room: object) -> None:
    fakes = Fakes()
    report = Report(receipt_of(ROLLED_BACK, "w"), "drops", Nowhere(), Redactor())
    live = run(fakes, room, report, ROLLED_BACK, previous="1", rollback=EARLIER)
    assert isinstance(live, Live)
    assert fakes.calls == ["fetch", "stored bundles/0.json", "deploy over 1", "verify"]
    assert live.release == EARLIER
    receipt = report.receipt
    assert (receipt.framework, receipt.python, receipt.object_version) == ("zappa", "3.11", "v3")
    assert (receipt.proof, receipt.warnings) == (EARLIER.proof, (*EARLIER.warnings, "from deploy"))
    assert set(report.timings) == {"fetch", "verify", "deploy"}


def test_a_stage_that_wants_gradual_traffic_refuses_a_zip_without_it_and_no_rollback(
    report: Report, room: object
) -> None:
    fakes = Fakes(grants=Grants(traffic="gradual"), is_stored=False)
    outcome = run(fakes, room, report)
    assert isinstance(outcome, Failed)
    assert outcome.error.code is Code.TRAFFIC_REQUIRED
    assert fakes.calls == ORDER
    assert isinstance(run(fakes, room, report, ROLLED_BACK, rollback=EARLIER), Live), "built anew, and live at once"


@pytest.mark.parametrize("revoked", [True, False])
def test_a_grant_that_is_revoked_while_an_app_is_built_is_not_used(
    report: Report, room: object, monkeypatch: pytest.MonkeyPatch, revoked: bool
) -> None:
    class Revoking(Fakes):
        def assemble(self, access: AppAccess, built: BuiltApp, work: Path, revision: str | None) -> Bundle:
            self.grants = Grants() if revoked else self.grants
            return super().assemble(access, built, work, revision)

    monkeypatch.setattr("worker.pipeline._JUST_NOW", 0.0)
    fakes = Revoking(grants=Grants(tables=("orders",)))
    outcome = run(fakes, room, report)
    assert isinstance(outcome, Delayed if revoked else Live)
    assert ("deploy over None" in fakes.calls) == (not revoked)


PROMOTED = replace(UPLOAD, version="v4", promotion=Promotion(App("qa", "shop"), "v1"))


def past(sha256: str = "ab" * 32) -> PastRelease:
    return PastRelease(replace(EARLIER, sha256=sha256).text(), None)


def test_a_promotion_is_compiled_anew_with_the_packages_of_the_release_it_comes_from(
    report: Report, room: object
) -> None:
    fakes = Fakes()
    assert isinstance(run(fakes, room, report, PROMOTED, promoted=past()), Live)
    assert fakes.calls == [*ORDER, "deploy over None", "verify"]
    assert fakes.locked == [LockedMessage(text="lock of bundles/0.json", python="3.11", architecture="x86_64")]


@pytest.mark.parametrize("promoted", [None, past("cd" * 32), PastRelease(None, None, collected="2026-01-01")])
def test_a_promotion_of_what_is_not_known_with_this_zip_is_built_anew_and_says_so(
    report: Report, room: object, promoted: PastRelease | None
) -> None:
    fakes = Fakes()
    run(fakes, room, report, PROMOTED, promoted=promoted)
    assert fakes.locked == [None]
    assert any("qa@v1" in warning and "built anew" in warning for warning in report.receipt.warnings)


def test_an_ordinary_drop_has_no_packages_to_take(report: Report, room: object) -> None:
    fakes = Fakes()
    run(fakes, room, report, promoted=past())
    assert fakes.locked == [None]


@pytest.mark.parametrize(
    ("stored", "sha256", "told"), [(True, "cd" * 32, "not the one"), (False, "ab" * 32, "not stored any more")]
)
def test_a_rollback_to_what_is_not_there_builds_the_zip_and_says_so(
    report: Report, room: object, stored: bool, sha256: str, told: str
) -> None:
    fakes = Fakes(is_stored=stored)
    run(fakes, room, report, ROLLED_BACK, rollback=replace(EARLIER, sha256=sha256))
    assert [call for call in fakes.calls if not call.startswith("stored")] == [*ORDER, "deploy over None", "verify"]
    assert any(told in warning and "built anew" in warning for warning in report.receipt.warnings)


UNKNOWN_ZIP = replace(EARLIER, sha256="cd" * 32)


@pytest.mark.parametrize("rollback", [None, UNKNOWN_ZIP, EARLIER])
@pytest.mark.parametrize("resumed", [None, EARLIER])
def test_a_rollback_takes_all_traffic_at_once_whatever_it_restores_and_whoever_goes_on(
    report: Report, room: object, rollback: Release | None, resumed: Release | None
) -> None:
    fakes = Fakes(traffic=TrafficMessage(kind="canary", percent=10, interval=600))
    run(fakes, room, report, ROLLED_BACK, rollback=rollback, resumed=resumed)
    assert [bundle.traffic for bundle in fakes.deployed] == [None]


@pytest.mark.parametrize(("rollback", "runs"), [(None, True), (UNKNOWN_ZIP, True), (EARLIER, False)])
@pytest.mark.parametrize("resumed", [None, EARLIER])
def test_the_release_command_of_what_is_built_anew_runs_whoever_goes_on(
    report: Report, room: object, rollback: Release | None, runs: bool, resumed: Release | None
) -> None:
    fakes = Fakes(release_command={"run": "migrate"})
    run(fakes, room, report, ROLLED_BACK, rollback=rollback, resumed=resumed)
    assert [bool(bundle.release_command) for bundle in fakes.deployed] == [runs]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"template_key": "x"}', '{"proof": {"a": 1}, "warnings": []}'])
def test_a_release_that_a_worker_of_another_age_wrote_is_none(text: str) -> None:
    assert Release.of(text) is None


def test_the_report_knows_each_step_and_each_warning_once(report: Report, room: object) -> None:
    run(Fakes(), room, report)
    receipt = report.receipt
    assert list(receipt.timings) == [
        "fetch", "unpack", "inspect", "build", "compile", "prove", "verify", "deploy",
    ]  # fmt: skip
    assert receipt.warnings == (*(f"from {step}" for step in STEPS), "from deploy")
    assert receipt.proof
    assert (receipt.proof.init_ms, receipt.proof.package_bytes) == (312, 7000)
    assert (receipt.framework, receipt.python, receipt.size, receipt.sha256) == ("chalice", "3.12", 9, "ab" * 32)


@pytest.mark.parametrize("step", ORDER)
def test_an_app_error_ends_the_run_before_anything_is_deployed(step: str, report: Report, room: object) -> None:
    fakes = Fakes(fail_at=step)
    outcome = run(fakes, room, report)
    assert isinstance(outcome, Failed)
    assert (outcome.error.message, outcome.restored) == (step, None)
    assert fakes.calls == ORDER[: ORDER.index(step) + 1]


@pytest.mark.parametrize("step", ["unpack", "build", "deploy"])
def test_a_step_that_is_not_wanted_any_more_never_begins(report: Report, room: object, step: str) -> None:
    fakes = Fakes()
    assert run(fakes, room, report, guard=OpenGuard(refuses=step)) == Superseded()
    assert not [call for call in fakes.calls if call.startswith(step)]
    assert step not in report.receipt.timings


@pytest.mark.parametrize("fail_at", ["", "build", "verify"])
def test_whatever_cancelled_work_comes_to_it_is_handed_back(report: Report, room: object, fail_at: str) -> None:
    outcome = run(Fakes(fail_at=fail_at), room, report, guard=OpenGuard(cancelled=True))
    assert isinstance(outcome, HandedBack)
    assert "stopping" in str(outcome.cause)


def test_any_other_failure_is_a_delay(report: Report, room: object) -> None:
    class Broken(Fakes):
        def fetch(self, upload: Upload, into: Path) -> Fetched:
            raise OSError("disk full")

    outcome = run(Broken(), room, report)
    assert isinstance(outcome, Delayed)
    assert str(outcome.cause) == "disk full"


def test_every_step_goes_by_the_one_access_that_was_decided(report: Report, room: object) -> None:
    fakes = Fakes()
    run(fakes, room, report)
    assert fakes.decided == [UPLOAD.app]
    assert len(fakes.accesses) == 2
    assert fakes.accesses[0] is fakes.accesses[1]


def test_grants_that_cannot_be_read_are_ours(report: Report, room: object) -> None:
    fakes = Fakes()
    fakes.unreadable = True
    outcome = run(fakes, room, report)
    assert isinstance(outcome, Delayed)
    assert fakes.calls == ["fetch"], "nothing is built"


def test_the_app_is_looked_at_while_it_is_built(report: Report, room: object) -> None:
    fakes = Fakes()
    run(fakes, room, report, previous="1")
    assert fakes.outlooks == [Outlook(live={"previous": "1"})]
    assert sorted(fakes.read) == ["look, 1 is live", "revision"]


def test_a_long_build_has_the_app_looked_at_anew(report: Report, room: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.pipeline._JUST_NOW", 0.0)
    fakes = Fakes()
    run(fakes, room, report, previous="1")
    assert sorted(fakes.read) == ["look, 1 is live"] * 2 + ["revision"] * 2


def test_a_look_ahead_that_fails_is_left_to_the_deployer(report: Report, room: object) -> None:
    fakes = Fakes(blind=True)
    assert isinstance(run(fakes, room, report), Live)
    assert fakes.outlooks == [None]


@pytest.mark.parametrize("resumed", [True, False])
def test_a_stored_release_is_deployed_as_one_made_today_would_be(report: Report, room: object, resumed: bool) -> None:
    fakes = Fakes(renewed_key="bundles/2.json")
    outcome = run(fakes, room, report, resumed=EARLIER if resumed else None, rollback=None if resumed else EARLIER)
    assert isinstance(outcome, Live)
    assert outcome.release.template_key == outcome.deployment.template_key == "bundles/2.json"


def test_a_release_that_waits_for_an_approval_is_kept(report: Report, room: object) -> None:
    fakes = Fakes(waits=AppError(Code.NEEDS_APPROVAL, "more rights", hint="ask"))
    outcome = run(fakes, room, report)
    assert isinstance(outcome, Failed)
    assert outcome.release
    assert outcome.release.template_key == "bundles/1.json"


def test_what_policies_name_is_readable_and_other_values_of_variables_are_not(report: Report, room: object) -> None:
    """The grants to paste are made of it: hidden, the name of a bucket would match every bucket."""
    variables = {"BUCKET": "pictures-of-shop", "PASSWORD": "correct horse battery"}
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures-of-shop/*"}
    policies = [{"PolicyName": "it", "PolicyDocument": {"Statement": [statement]}}]
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": variables}}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}
    run(Fakes(template={"Resources": {"App": function, "Role": role}}), room, report)
    assert report.hidden("arn:aws:s3:::pictures-of-shop/*") == "arn:aws:s3:::pictures-of-shop/*"
    assert "horse" not in report.hidden("it is correct horse battery")
