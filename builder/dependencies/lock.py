"""Resolve once, exactly: a manifest into pinned, hashed requirements for one Lambda runtime."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from builder.actions import Actions
from builder.dependencies.known.build_constraints import BuildConstraint, as_file, described, matching
from builder.dependencies.known.missing_bounds import UnmetBound, unmet
from builder.dependencies.manifests import Manifest
from builder.dependencies.question import Question, make_question
from builder.dependencies.requirement_lines import Local
from builder.dependencies.sdists import Pin, Sdist, outgrown, unwheeled, wheel_bytes
from builder.dependencies.uv import BuildTarget, Uv
from builder.dependencies.uv_errors import explain
from builder.dependencies.zips import write_zip
from builder.protocol.messages import Action
from builder.sandbox.limit_errors import read_result
from builder.sandbox.sandbox import Outcome

RESOLUTION = "resolution.json"
_MOST_ONE_BY_ONE = 8  # resolutions, of a second or two each
_MOST_ROUNDS = 4  # an older release may itself lack a bound
_FORMAT = "3"  # raised when the same question comes to have another answer


@dataclass(frozen=True, slots=True)
class Vendored:
    """A project or a wheel inside the zip: its path there, the digest of its content, and where it was unpacked."""

    shown: str
    sha256: str
    original: Path


@dataclass(frozen=True, slots=True)
class Lock:
    """What will be installed.

    Attributes:
        pins: by name; local paths are absolute, into copies of what the zip holds.
        options: lines that say how to install.
        local: what stands behind each absolute path.
        unwheeled: those of the pins that have to be built, as no wheel of theirs fits (or the app wants none).
        bounded: older releases that are taken as others would not run with newer ones.
        wheel_bytes: the sizes of wheels that fit, by name and version, as far as the index says them.
        slim: what is of no use on Lambda is left out.
    """

    pins: tuple[Pin, ...]
    options: tuple[str, ...] = ()
    local: Mapping[str, Vendored] | None = None
    unwheeled: Mapping[str, Sdist] | None = None
    bounded: tuple[UnmetBound, ...] = ()
    wheel_bytes: Mapping[str, int] | None = None
    slim: bool = False

    @property
    def installable(self) -> str:
        """As a requirements file for this machine, now."""
        return "".join(f"{line}\n" for line in (*self.options, *map(str, self.pins)))

    @property
    def text(self) -> str:
        """As a requirements file that says the same on every machine: local paths as in the zip, after their digest."""
        local = self.local or {}
        if not local:
            return self.installable

        def stable(match: re.Match[str]) -> str:
            return f"# sha256:{local[match[0]].sha256}\n./{local[match[0]].shown}"

        paths = "|".join(map(re.escape, local))
        return re.sub(rf"(?m)^(?:{paths})(?=[\s\[;])", stable, self.installable)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer: uv's lock, and the files that the index has for it (PEP 751). Builds had their hands on both."""

    lock: str
    pylock: str


def resolve(
    question: Question, target: BuildTarget, uv: Uv, work: Path, log: BuildLog, projects: tuple[Path, ...] = ()
) -> Resolution:
    """Ask the indexes.

    Args:
        question: what to ask.
        target: the runtime that it is for.
        uv: has a cache of its own, as it may build packages to see what they need.
        work: an empty writable folder.
        log: is told uv's warnings.
        projects: folders with copies of projects that the question names by their paths; builds write into them.

    Raises:
        AppError: ``requirement-not-found``, ``requirements-conflict``, ``bad-requirements``, or
            ``dependency-build-failed`` where only a failing build could say what a package needs.
        IndexTrouble: not the uploader's fault.
    """
    arguments = question.arguments(target)
    found = _resolve(question, arguments, target, uv, _made(work / "all"), log, projects)
    lock = _parse(found.lock)
    behind = outgrown(unwheeled(found.pylock, lock.pins, lock.options, target), lock.pins)
    if not behind:
        return found
    older = _with_wheels(behind, question, arguments, target, uv, work, log, projects)
    return older or found


def _with_wheels(
    names: tuple[str, ...], question: Question, arguments: tuple[str, ...], target: BuildTarget, uv: Uv, work: Path,
    log: BuildLog, projects: tuple[Path, ...],
) -> Resolution | None:  # fmt: skip
    """Take older releases that have wheels, where the requirements allow them: compiling pandas takes minutes.

    Of all names at once or, as one pin without a wheel leaves no solution for all of them, of one after the other.
    """
    kept: tuple[str, ...] = ()
    best: Resolution | None = None
    one_by_one = [(name,) for name in names[:_MOST_ONE_BY_ONE]] if len(names) > 1 else []
    for number, tried in enumerate([names, *one_by_one]):
        only = tuple(word for name in (*kept, *tried) for word in ("--only-binary", name))
        place = _made(work / f"wheels-{number}")
        try:
            best = _resolve(question, (*arguments, *only), target, uv, place, log, projects)
        except AppError:
            continue
        kept += tried
        if tried == names:
            break
    if kept:
        log(f"releases with a wheel for {target.platform} are taken of {', '.join(kept)}")
    return best


def _resolve(
    question: Question, arguments: tuple[str, ...], target: BuildTarget, uv: Uv, work: Path, log: BuildLog,
    projects: tuple[Path, ...], constraints: tuple[BuildConstraint, ...] = (),
) -> Resolution:  # fmt: skip
    (work / "requirements.in").write_text(question.requirements)
    (work / "constraints.in").write_text(question.constraints)
    (work / "uv.toml").write_text(question.configuration)
    (work / "build-constraints.in").write_text(as_file(constraints))
    constrained = ("--build-constraints", "build-constraints.in") if constraints else ()
    outcome = uv.run((*arguments, *constrained), target, _unless_error(log), cwd=work, writable=(work, *projects))
    if not outcome.ok and not constraints and (known := matching(outcome.output)):
        log(f"dependencies: a build failed, it is tried again with {described(known)}")
        again = _made(work.with_name(f"{work.name}-again"))  # what was built may have left links in the other
        return _resolve(question, arguments, target, uv, again, log, projects, known)
    if not outcome.ok:
        raise explain(outcome.output, question.shown, target)
    # What was built may have left anything under any name here: the next step reads the lock alone, in a fresh folder.
    lock = read_result(work / "lock.txt", "resolving the dependencies")
    listing = _made(work.with_name(f"{work.name}-listing"))
    (listing / "lock.txt").write_text(lock)
    # The cache of the first call, in its folder, has what uv needs to know of each file.
    outcome = uv.run(
        _listing(target), target, lambda _: None, cwd=listing, writable=(work, listing, *projects), network=False
    )
    if not outcome.ok:
        raise explain(outcome.output, question.shown, target)
    return Resolution(lock, read_result(listing / "pylock.toml", "resolving the dependencies"))


class Resolver:
    """Makes locks.

    Args:
        uv: resolves what only this upload has, and exports uv.lock.
        actions: resolves the rest.
    """

    def __init__(self, uv: Uv, actions: Actions) -> None:
        self._uv = uv
        self._actions = actions

    def lock(self, manifest: Manifest, target: BuildTarget, work: Path, log: BuildLog) -> Lock:
        """Resolve for the target, without what Lambda has itself.

        Raises:
            AppError: see `resolve`.
            OurTrouble: not the uploader's fault.
        """
        local = _copied(manifest.lines.local, work / "local")
        vendored = {
            str(copy.path): Vendored(copy.shown, content_digest(copy.path, work), one.path)
            for copy, one in zip(local, manifest.lines.local, strict=True)
        }
        if not manifest.lines.requirements and not local:
            return Lock(())
        question = make_question(manifest, local)
        found, bounded = self._runnable(question, target, work, log, shared=not local)
        lock = _parse(found.lock)
        pins = _agreed(lock.pins, manifest)
        sdists = unwheeled(found.pylock, pins, lock.options, target)
        sizes = wheel_bytes(found.pylock, pins, target)
        return replace(lock, pins=pins, local=vendored, unwheeled=sdists, bounded=bounded, wheel_bytes=sizes)

    def _runnable(
        self, question: Question, target: BuildTarget, work: Path, log: BuildLog, *, shared: bool
    ) -> tuple[Resolution, tuple[UnmetBound, ...]]:
        """Resolve, and again with bounds that the releases found lack; if those leave no solution, the app decides."""
        found = self._resolution(question, target, work / "resolve", log, shared=shared)
        bounded: tuple[UnmetBound, ...] = ()
        for number in range(_MOST_ROUNDS):
            lacking = () if question.complete else unmet(_versions(found))
            if not lacking:
                break
            added = "".join(f"{line}\n" for line in dict.fromkeys(one.need for one in lacking))
            question = replace(question, constraints=question.constraints + added)
            try:
                found = self._resolution(question, target, work / f"resolve-{number}", log, shared=shared)
            except AppError:
                log(f"dependencies: nothing else in place of {', '.join(one.release for one in lacking)} is possible")
                break
            bounded += lacking
        return found, bounded

    def _resolution(
        self, question: Question, target: BuildTarget, work: Path, log: BuildLog, *, shared: bool
    ) -> Resolution:
        """Have it answered by an action, unless it is about projects that are in this zip alone."""
        if not shared:
            return resolve(question, target, self._uv, _made(work), log, (work.with_name("local"),))
        result = self._actions.run(resolve_action(question, target), log)
        return Resolution(*json.loads((result.folder / RESOLUTION).read_text()))

    def export(
        self, lock: Path, root: Path, target: BuildTarget, work: Path, log: BuildLog, more: tuple[str, ...] = ()
    ) -> str:
        """Export the requirement lines of a uv.lock, for an app in folder ``root``, without resolving or fetching.

        ``more``: options of ``uv export``, for groups and extras.

        Raises:
            AppError: ``bad-requirements``: the lock, or the pyproject.toml with it, is not usable.
        """
        out = work / "uv-lock.txt"
        arguments = (
            "export", "--quiet", "--frozen", "--offline", "--no-default-groups", "--no-emit-project", "--no-editable",
            "--no-header", "--no-annotate", "--output-file", str(out), "--project", str(root), *more,
        )  # fmt: skip
        outcome = self._uv.run(
            arguments, target, log, cwd=lock.parent, readable=(root, lock.parent), writable=(work,), network=False
        )
        if not outcome.ok:
            message = f"uv.lock can't be used: {_last(outcome)}"
            hint = "Run `uv lock` beside your pyproject.toml and put both into the zip."
            raise AppError(Code.BAD_REQUIREMENTS, message, hint=hint)
        return read_result(out, "exporting uv.lock")


def resolve_action(question: Question, target: BuildTarget) -> Action:
    """Return the action that answers a question."""
    return Action(
        kind="resolve",
        inputs={
            "format": _FORMAT, "question": asdict(question), "python": target.python,
            "architecture": target.architecture,
        },
    )  # fmt: skip


def write_resolution(found: Resolution, folder: Path) -> None:
    """Write the result of the action."""
    (folder / RESOLUTION).write_text(json.dumps([found.lock, found.pylock]))


def _listing(target: BuildTarget) -> tuple[str, ...]:
    return (
        "pip", "compile", "--quiet", "--offline", "--no-deps", "--no-sources", "lock.txt", "--output-file",
        "pylock.toml", "--no-header", "--python-platform", target.platform,
    )  # fmt: skip


def _copied(local: tuple[Local, ...], to: Path) -> tuple[Local, ...]:
    """Copies of local projects, because builds write into the folder that they build."""
    copies = []
    for number, one in enumerate(local):
        copy = to / str(number) / one.path.name
        copy.parent.mkdir(parents=True)
        if one.path.is_dir():
            shutil.copytree(one.path, copy, symlinks=True)
        else:
            shutil.copyfile(one.path, copy, follow_symlinks=False)
        copies.append(replace(one, path=copy))
    return tuple(copies)


def content_digest(path: Path, work: Path) -> str:
    """SHA-256, in hex, of a file, or of the deterministic zip of a folder, which is made in ``work``."""
    if path.is_dir():
        return write_zip(path, work / "local.zip")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unless_error(log: BuildLog) -> Callable[[str], None]:
    """Quiet uv says nothing but warnings and errors; the errors are told once, as the AppError."""
    return lambda line: log(line) if line.startswith("warning:") else None


def _last(outcome: Outcome) -> str:
    lines = [line.strip() for line in outcome.output.splitlines() if line.strip()]
    return " ".join(lines)[:1000] or f"uv ended with {outcome.returncode}"


def _parse(text: str) -> Lock:
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    options = tuple(line for line in lines if line.startswith("--"))
    return Lock(tuple(_pin(line) for line in lines if not line.startswith("--")), options)


def _versions(found: Resolution) -> dict[str, str]:
    pins = (pin for pin in _parse(found.lock).pins if pin.name)
    return {str(pin.name): pin.requirement.partition("==")[2].partition(";")[0].strip() for pin in pins}


def _pin(line: str) -> Pin:
    requirement, *hashes = line.split(" --hash=")
    return Pin(requirement.strip(), tuple(one.strip() for one in hashes))


def _agreed(pins: tuple[Pin, ...], manifest: Manifest) -> tuple[Pin, ...]:
    """Limit the pins to files whose hashes the manifest gave."""
    return tuple(_checked(pin, manifest) for pin in pins)


def _checked(pin: Pin, manifest: Manifest) -> Pin:
    wanted = manifest.lines.hashes.get(pin.name) if pin.name else None
    if not wanted:
        return pin
    both = tuple(one for one in pin.hashes if one in wanted)
    if not both:
        message = f"{manifest.shown}: none of its hashes for {pin.requirement} is of a file that the package index has"
        hint = "Lock again, against the same index; if you did, someone exchanged the file."
        raise AppError(Code.BAD_REQUIREMENTS, message, hint=hint)
    return replace(pin, hashes=both)


def held_to(manifest: Manifest, text: str) -> Manifest:
    """Hold a manifest to the versions and files of an earlier lock; projects inside the zip are what the zip has."""
    pins = [pin for pin in _parse(_without_local(text)).pins if pin.name]
    hashes = {str(pin.name): frozenset(pin.hashes) for pin in pins if pin.hashes}
    lines = manifest.lines
    kept = tuple(re.sub(r"\[[^\[\]]*\]", "", pin.requirement) for pin in pins)  # a constraint has no extras
    held = replace(lines, constraints=(*lines.constraints, *kept), hashes=MappingProxyType({**hashes, **lines.hashes}))
    return replace(manifest, lines=held)


def _without_local(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith(("./", "#")))


def added(requirements: tuple[str, ...], manifest: Manifest) -> tuple[str, ...]:
    """Those of the framework's own requirements that the manifest does not bring along."""
    return tuple(one for one in requirements if canonicalize_name(Requirement(one).name) not in manifest.lines.names)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
