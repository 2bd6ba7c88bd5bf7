"""Resolve once, exactly: a manifest into pinned, hashed requirements for one Lambda runtime."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Say
from builder.dependencies.cache import keep
from builder.dependencies.manifests import Manifest
from builder.dependencies.requirement_lines import Local, read_text
from builder.dependencies.sdists import Pin, Sdist, outgrown, unwheeled
from builder.dependencies.uv import Target, Uv
from builder.dependencies.uv_errors import explain
from builder.dependencies.zips import write_zip
from builder.sandbox.sandbox import Outcome

IN_LAMBDA = ("boto3", "botocore", "s3transfer", "jmespath")
"""Lambda's Python runtimes have them. All are shipped as soon as the app itself asks for one: versions must fit."""

FRESH = 600.0
"""Seconds for which the same question to the index keeps its answer, as package indexes let their pages be cached."""

SETTLED_FIRST = frozenset({"chalice", "zappa"})
"""uv settles what is named earlier before the rest. Frameworks need one release of boto3 out of a thousand: named after
pandas, zappa had uv try hundreds of them (14 s), and named before it, hardly any (1.4 s), with the same lock."""

INSTALLERS = ("pip", "wheel")
"""Frameworks depend on them for their command line; on Lambda nothing is installed."""


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
    """

    pins: tuple[Pin, ...]
    options: tuple[str, ...] = ()
    local: Mapping[str, Vendored] | None = None
    unwheeled: Mapping[str, Sdist] | None = None

    @property
    def installable(self) -> str:
        """As a requirements file for this machine, now."""
        return "".join(f"{line}\n" for line in (*self.options, *map(str, self.pins)))

    @property
    def text(self) -> str:
        """As a requirements file that says the same on every machine: local paths as in the zip, after their digest."""
        text = self.installable
        for path, one in (self.local or {}).items():
            stable = f"# sha256:{one.sha256}\n./{one.shown}"
            text = re.sub(rf"(?m)^{re.escape(path)}(?=[\s\[;])", stable.replace("\\", r"\\"), text)
        return text


class Locker:
    """Makes locks.

    Args:
        uv: resolves.
        memory: folder where resolutions are kept for a while.
        clock: seconds since the epoch.
    """

    def __init__(self, uv: Uv, memory: Path, clock: Callable[[], float] = time.time) -> None:
        self._uv = uv
        self._memory = memory
        self._clock = clock

    def lock(self, manifest: Manifest, target: Target, work: Path, say: Say) -> Lock:
        """Resolve for the target, without what Lambda has itself.

        Raises:
            AppError: ``requirement-not-found``, ``requirements-conflict``, ``bad-requirements``, or
                ``dependency-build-failed`` where only a failing build could say what a package needs.
            IndexTrouble: not the uploader's fault.
        """
        local = _copied(manifest.lines.local, work / "local")
        vendored = {
            str(copy.path): Vendored(copy.shown, content_digest(copy.path, work), one.path)
            for copy, one in zip(local, manifest.lines.local, strict=True)
        }
        if not manifest.lines.requirements and not local:
            return Lock(())
        asked = _settled_first(manifest.lines.requirements)
        lines = [*manifest.lines.options, *asked, *(f"{one.path}{one.suffix}" for one in local)]
        inputs = ("\n".join(lines) + "\n", "\n".join(manifest.lines.constraints) + "\n")
        arguments = _arguments(manifest, target)
        kept = self._memory / hashlib.sha256("\0".join((*inputs, target.python, *arguments)).encode()).hexdigest()[:40]
        if (texts := self._remembered(kept)) is None:
            texts = self._resolve(inputs, arguments, manifest, target, work, say)
            lock = _parse(texts[0])
            if behind := outgrown(unwheeled(texts[1], lock.pins, lock.options, target), lock.pins):
                texts = self._prefer_wheels(behind, texts, inputs, arguments, manifest, target, work, say)
            keep(json.dumps(texts), kept, self._clock())
        lock = _parse(texts[0])
        pins = _agreed(lock.pins, manifest)
        return replace(lock, pins=pins, local=vendored, unwheeled=unwheeled(texts[1], pins, lock.options, target))

    def _resolve(
        self, inputs: tuple[str, str], arguments: tuple[str, ...], manifest: Manifest, target: Target, work: Path,
        say: Say,
    ) -> tuple[str, str]:  # fmt: skip
        """The lock, and the files that the index has for it (PEP 751). Strangers' builds had their hands on both."""
        (work / "requirements.in").write_text(inputs[0])
        (work / "constraints.in").write_text(inputs[1])
        outcome = self._uv.run(arguments, target, _unless_error(say), cwd=work, writable=(work,))
        if not outcome.ok:
            raise explain(outcome.output, manifest.shown, target)
        outcome = self._uv.run(_listing(target), target, lambda _: None, cwd=work, writable=(work,), network=False)
        if not outcome.ok:
            raise explain(outcome.output, manifest.shown, target)
        return read_text(work / "lock.txt", "lock"), read_text(work / "pylock.toml", "lock")

    def _prefer_wheels(
        self, names: tuple[str, ...], texts: tuple[str, str], inputs: tuple[str, str], arguments: tuple[str, ...],
        manifest: Manifest, target: Target, work: Path, say: Say,
    ) -> tuple[str, str]:  # fmt: skip
        """Older releases that have wheels, where the requirements allow them: compiling pandas takes minutes."""
        only = tuple(word for name in names for word in ("--only-binary", name))
        try:
            older = self._resolve(inputs, (*arguments, *only), manifest, target, work, say)
        except AppError:
            return texts
        say(f"releases with a wheel for {target.platform} are taken of {', '.join(names)}")
        return older

    def _remembered(self, kept: Path) -> tuple[str, str] | None:
        try:
            age = self._clock() - kept.stat().st_mtime
            if not 0 <= age < FRESH:
                return None
            lock, files = json.loads(kept.read_text())
        except (OSError, ValueError):
            return None  # never made, or by another version of ours
        return lock, files

    def export(self, lock: Path, root: Path, target: Target, work: Path, say: Say) -> str:
        """The requirement lines of a uv.lock, for an app in folder ``root``; nothing is resolved, built or fetched.

        Raises:
            AppError: ``bad-requirements``: the lock, or the pyproject.toml with it, is not usable.
        """
        out = work / "uv-lock.txt"
        arguments = (
            "export", "--quiet", "--frozen", "--offline", "--no-default-groups", "--no-emit-project", "--no-editable",
            "--no-header", "--no-annotate", "--output-file", str(out), "--project", str(root),
        )  # fmt: skip
        outcome = self._uv.run(
            arguments, target, say, cwd=lock.parent, readable=(root, lock.parent), writable=(work,), network=False
        )
        if not outcome.ok:
            message = f"uv.lock can't be used: {_last(outcome)}"
            hint = "Run `uv lock` beside your pyproject.toml and put both into the zip."
            raise AppError(Code.BAD_REQUIREMENTS, message, hint=hint)
        return read_text(out, "uv.lock")


def _settled_first(requirements: tuple[str, ...]) -> list[str]:
    return sorted(requirements, key=lambda line: canonicalize_name(Requirement(line).name) not in SETTLED_FIRST)


def _arguments(manifest: Manifest, target: Target) -> tuple[str, ...]:
    left_out = [*(() if set(IN_LAMBDA) & manifest.direct else IN_LAMBDA), *(set(INSTALLERS) - manifest.direct)]
    return (
        "pip", "compile", "--quiet", "requirements.in", "--constraints", "constraints.in", "--output-file", "lock.txt",
        "--generate-hashes", "--emit-build-options", "--no-annotate", "--no-header", "--no-sources",
        "--no-strip-extras", "--python-platform", target.platform,
        *(("--no-deps",) if manifest.complete else ()),
        *(("--prerelease", "allow") if manifest.lines.prerelease else ()),
        *(word for name in sorted(left_out) for word in ("--no-emit-package", name)),
    )  # fmt: skip


def _listing(target: Target) -> tuple[str, ...]:
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


def _unless_error(say: Say) -> Callable[[str], None]:
    """Quiet uv says nothing but warnings and errors; the errors are told once, as the AppError."""
    return lambda line: say(line) if line.startswith("warning:") else None


def _last(outcome: Outcome) -> str:
    lines = [line.strip() for line in outcome.output.splitlines() if line.strip()]
    return " ".join(lines)[:1000] or f"uv ended with {outcome.returncode}"


def _parse(text: str) -> Lock:
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    options = tuple(line for line in lines if line.startswith("--"))
    return Lock(tuple(_pin(line) for line in lines if not line.startswith("--")), options)


def _pin(line: str) -> Pin:
    requirement, *hashes = line.split(" --hash=")
    return Pin(requirement.strip(), tuple(one.strip() for one in hashes))


def _agreed(pins: tuple[Pin, ...], manifest: Manifest) -> tuple[Pin, ...]:
    """The pins, with no other files than those whose hashes the manifest gave."""
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


def added(requirements: tuple[str, ...], manifest: Manifest) -> tuple[str, ...]:
    """Those of the framework's own requirements that the manifest does not bring along."""
    return tuple(one for one in requirements if canonicalize_name(Requirement(one).name) not in manifest.lines.names)
