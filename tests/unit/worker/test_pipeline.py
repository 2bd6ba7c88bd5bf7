"""The order of the steps, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Proof, Say
from auto_lambda.redact import Redactor
from builder.model import Built, Draft, Source
from worker.fetch import Fetched
from worker.model import Bundle, Deployment, Release, Upload
from worker.pipeline import Pipeline, Steps
from worker.records.receipt import Receipt, Report

UPLOAD = Upload(App("dev", "shop"), "drops", "apps/dev/shop.zip", "v1")


@dataclass
class Open:
    """Lets everything pass until it is to refuse a step."""

    refuses: str = ""
    release: Release | None = None
    verdict: AppError | None = None

    def before(self, step: str) -> None:
        if step == self.refuses:
            raise KeyError("superseded")

    def effect(self, step: str) -> AbstractContextManager[None]:
        return nullcontext()


class Nowhere:
    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Nobody looks."""


@dataclass
class Fakes:
    """Every collaborator; ``calls`` is the order in which they were called."""

    calls: list[str] = field(default_factory=list)
    fail_at: str = ""
    folders: list[Path] = field(default_factory=list)
    kept: bool = True

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

    def unpack(self, zip_path: Path, into: Path) -> None:
        self._call("unpack")
        self._empty(into)

    def inspect(self, fetched: Fetched, tree: Path) -> Source:
        self._call("inspect")
        return Source(
            fetched.upload, tree, tree, fetched.sha256, fetched.size, "chalice", "dev", "3.12", "x86_64",
            warnings=("from inspect",),
        )  # fmt: skip

    def build(self, source: Source, requirements: tuple[str, ...], work: Path, say: Say) -> Built:
        self._call("build")
        assert requirements == ("chalice",)
        self._empty(work)
        return Built(source, "lock", None, warnings=("from build",))

    name = "chalice"

    def requirements(self, built_from: Path) -> tuple[str, ...]:
        return ("chalice",)

    def compile(self, built: Built, work: Path, say: Say) -> Draft:
        self._call("compile")
        self._empty(work)
        say("compiling")
        return Draft({}, work, "Fn", warnings=("from compile",))

    def assemble(self, draft: Draft, built: Built, work: Path) -> Bundle:
        self._call("assemble")
        self._empty(work)
        return self._bundle(built.source.upload.app)

    def prove(self, draft: Draft, bundle: Bundle, built: Built, work: Path, say: Say) -> Proof:
        self._call("prove")
        self._empty(work)
        return Proof(312, 7000, 5000, warnings=("from prove",))

    def _bundle(self, app: App) -> Bundle:
        return Bundle(
            app, "chalice", "3.12", "x86_64", {}, "bundles/1.json", (), "Fn",
            has_url=False, health_path="/", warnings=("from compile", "from bundle"),
        )  # fmt: skip

    def stored(self, app: App, template_key: str) -> Bundle | None:
        self._call(f"stored {template_key}")
        return self._bundle(app) if self.kept else None

    def deploy(
        self,
        bundle: Bundle,
        previous: str | None,
        say: Say,
        verifying: Callable[[], AbstractContextManager[None]],
        effect: object,
        condemned: AppError | None = None,
    ) -> Deployment:
        self._call(f"deploy over {previous}")
        if condemned:
            raise condemned
        with verifying():
            self._call("verify")
        return Deployment("al", "fn", "1", "live", None, bundle.template_key, changed=True)


def steps(fakes: Fakes) -> Steps:
    return Steps(
        fetch=fakes.fetch,
        unpack=fakes.unpack,
        inspect=fakes.inspect,  # type: ignore[arg-type]
        builder=fakes,
        frameworks={"chalice": fakes},  # type: ignore[dict-item]
        assemble=fakes.assemble,
        deployer=fakes,
        prove=fakes.prove,
    )


@pytest.fixture
def report() -> Report:
    return Report(Receipt.of(UPLOAD, "w"), "drops", Nowhere(), Redactor())


@pytest.fixture
def room(tmp_path: Path) -> Callable[[], AbstractContextManager[Path]]:
    @contextmanager
    def folder() -> Iterator[Path]:
        work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        work.mkdir()
        yield work

    return folder


ORDER = ["fetch", "unpack", "inspect", "build", "compile", "assemble", "prove"]


def test_the_steps_run_in_order_each_in_an_empty_folder_of_its_own(report: Report, room: object) -> None:
    fakes = Fakes()
    pipeline = Pipeline(steps(fakes), room)  # type: ignore[arg-type]
    released = pipeline.run(UPLOAD, report, previous="bundles/0.json", guard=Open())
    assert fakes.calls == [*ORDER, "deploy over bundles/0.json", "verify"]
    assert len(set(fakes.folders)) == len(fakes.folders)
    assert (released.release.sha256, released.deployment.version) == ("ab" * 32, "1")


def test_what_was_built_proved_and_stored_before_goes_straight_to_deploy(report: Report, room: object) -> None:
    first, second, guard = Fakes(), Fakes(), Open()
    pipeline = Pipeline(steps(first), room)  # type: ignore[arg-type]
    pipeline.run(UPLOAD, report, previous=None, guard=guard)
    stored = Release.of(guard.release.text()) if guard.release else None
    successor = Report(Receipt.of(UPLOAD, "w2"), "drops", Nowhere(), Redactor())
    released = Pipeline(steps(second), room).run(UPLOAD, successor, previous=None, guard=Open(release=stored))  # type: ignore[arg-type]
    assert second.calls == ["stored bundles/1.json", "deploy over None", "verify"]
    assert released.deployment.template_key == "bundles/1.json"
    told, before = successor.receipt, report.receipt
    for name in ("framework", "python", "architecture", "size", "sha256", "object_version", "warnings"):
        assert getattr(told, name) == getattr(before, name), name
    assert told.proof
    assert (told.proof.init_ms, told.proof.package_bytes, told.proof.package_zip_bytes) == (312, 7000, 5000)
    assert set(told.timings) == set(before.timings)
    assert set(successor.timings) == {"deploy", "verify"}


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_found_unhealthy_is_not_tried_again_unless_it_is_built_anew(
    report: Report, room: object, kept: bool
) -> None:
    fakes, guard = Fakes(kept=kept), Open(release=EARLIER, verdict=AppError(Code.UNHEALTHY, "502", hint="mend it"))
    pipeline = Pipeline(steps(fakes), room)  # type: ignore[arg-type]
    if not kept:
        assert pipeline.run(UPLOAD, report, previous="1", guard=guard)
        return
    with pytest.raises(AppError, match="502"):
        pipeline.run(UPLOAD, report, previous="1", guard=guard)
    assert fakes.calls == ["stored bundles/0.json", "deploy over 1"]


def test_what_is_not_stored_any_more_is_built_anew(report: Report, room: object) -> None:
    fakes = Fakes(kept=False)
    gone = Release("bundles/1.json", "v1", "ab" * 32, 9, "chalice", "3.12", "x86_64", Proof(1, 1, 1))
    Pipeline(steps(fakes), room).run(UPLOAD, report, previous=None, guard=Open(release=gone))  # type: ignore[arg-type]
    assert fakes.calls == ["stored bundles/1.json", *ORDER, "deploy over None", "verify"]


ROLLED_BACK = replace(UPLOAD, version="v3", rollback="v1")
EARLIER = Release(
    "bundles/0.json", "v3", "ab" * 32, 9, "zappa", "3.11", "x86_64", Proof(5, 6, 7), warnings=("it was so then",)
)


def test_a_rollback_fetches_the_zip_and_deploys_what_was_live(room: object) -> None:
    fakes = Fakes()
    report = Report(Receipt.of(ROLLED_BACK, "w"), "drops", Nowhere(), Redactor())
    released = Pipeline(steps(fakes), room).run(ROLLED_BACK, report, previous="1", guard=Open(), again=EARLIER)  # type: ignore[arg-type]
    assert fakes.calls == ["fetch", "stored bundles/0.json", "deploy over 1", "verify"]
    assert released.release == EARLIER
    receipt = report.receipt
    assert (receipt.framework, receipt.python, receipt.object_version) == ("zappa", "3.11", "v3")
    assert (receipt.proof, receipt.warnings) == (EARLIER.proof, EARLIER.warnings)
    assert set(report.timings) == {"fetch", "verify", "deploy"}


@pytest.mark.parametrize(
    ("kept", "sha256", "told"), [(True, "cd" * 32, "not the one"), (False, "ab" * 32, "not stored any more")]
)
def test_a_rollback_to_what_is_not_there_builds_the_zip_and_says_so(
    report: Report, room: object, kept: bool, sha256: str, told: str
) -> None:
    fakes = Fakes(kept=kept)
    again = replace(EARLIER, sha256=sha256)
    Pipeline(steps(fakes), room).run(ROLLED_BACK, report, previous=None, guard=Open(), again=again)  # type: ignore[arg-type]
    assert [call for call in fakes.calls if not call.startswith("stored")] == [*ORDER, "deploy over None", "verify"]
    assert any(told in warning and "built anew" in warning for warning in report.receipt.warnings)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"template_key": "x"}', '{"proof": {"a": 1}, "warnings": []}'])
def test_a_release_that_a_worker_of_another_age_wrote_is_none(text: str) -> None:
    assert Release.of(text) is None


def test_the_report_knows_each_step_and_each_warning_once(report: Report, room: object) -> None:
    Pipeline(steps(Fakes()), room).run(UPLOAD, report, previous=None, guard=Open())  # type: ignore[arg-type]
    receipt = report.receipt
    assert list(receipt.timings) == [
        "fetch", "unpack", "inspect", "build", "compile", "prove", "verify", "deploy",
    ]  # fmt: skip
    assert receipt.warnings == ("from inspect", "from build", "from compile", "from bundle", "from prove")
    assert receipt.proof
    assert (receipt.proof.init_ms, receipt.proof.package_bytes) == (312, 7000)
    assert (receipt.framework, receipt.python, receipt.size, receipt.sha256) == ("chalice", "3.12", 9, "ab" * 32)


@pytest.mark.parametrize("step", ORDER)
def test_an_app_error_ends_the_run_before_anything_is_deployed(step: str, report: Report, room: object) -> None:
    fakes = Fakes(fail_at=step)
    with pytest.raises(AppError):
        Pipeline(steps(fakes), room).run(UPLOAD, report, previous=None, guard=Open())  # type: ignore[arg-type]
    assert fakes.calls == ORDER[: ORDER.index(step) + 1]


@pytest.mark.parametrize("step", ["unpack", "build", "deploy"])
def test_a_step_that_is_not_wanted_any_more_never_begins(report: Report, room: object, step: str) -> None:
    fakes = Fakes()
    with pytest.raises(KeyError, match="superseded"):
        Pipeline(steps(fakes), room).run(UPLOAD, report, previous=None, guard=Open(refuses=step))  # type: ignore[arg-type]
    assert not [call for call in fakes.calls if call.startswith(step)]
    assert step not in report.receipt.timings
