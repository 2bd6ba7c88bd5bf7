"""Explain uv's failures to the uploader: which package, what is wrong with it, what to try."""

from __future__ import annotations

import re

from auto_lambda.errors import AppError, Code
from builder.dependencies.known import native
from builder.dependencies.uv import BuildTarget
from builder.dependencies.uv_output import error_chain

_MAX_LENGTH = 2000
_LAST_LINES = 25
_UNKNOWN = re.compile(r"Because (\S+) was not found in the (?:package registry|provided package locations)")
_NO_VERSION = re.compile(
    r"(?:there (?:is no version|are no versions) of|only the following versions of|only) ([^\s,]+)"
)
# Phrases with a blank, which no name and no version of a package can hold.
_OTHER_PYTHON = re.compile(r"the requested Python version|does not satisfy Python|Python ABI tag")
_NAME = re.compile(r"[=<>!~ @;\[]")
_OUR_FOLDERS = re.compile(r"(?<=[\"'`( ])/[^\s\"'`]{1,300}/(?:uv-cache/builds-v0/\.tmp\w{1,20}|work/fetched)/")
_NO_WHEEL = re.compile(
    r"no wheels? with a matching|only has wheels|no source distribution|no usable wheels|incompatible with "
)


def explain(output: str, manifest: str | None, target: BuildTarget) -> AppError:
    """Return the error for a failed run of uv.

    Args:
        output: all of its output.
        manifest: what asked for the packages, for the message.
        target: named in hints.
    """
    where = manifest or "the framework's own requirements"
    chain = error_chain(output)
    if chain.build is not None:
        return _build_failed(chain.build, output, target)
    explanation = _explanation(output)
    if "no usable wheels" in explanation:
        return AppError(Code.DEPENDENCY_BUILD_FAILED, explanation, hint=_hint_wheel(target))
    if chain.unsolvable:
        return _no_solution(explanation, where, target)
    if _NO_WHEEL.search(explanation):
        return AppError(Code.DEPENDENCY_BUILD_FAILED, explanation, hint=_hint_wheel(target))
    return AppError(Code.BAD_REQUIREMENTS, f"{where}: {explanation}", hint=f"Correct {where}.")


def _no_solution(explanation: str, where: str, target: BuildTarget) -> AppError:
    if match := _UNKNOWN.search(explanation):
        hint = f"Check the spelling in {where}; a private package needs its index configured on the worker."
        return AppError(
            Code.REQUIREMENT_NOT_FOUND, f"there is no package named {match[1]} on the package index", hint=hint
        )
    if _OTHER_PYTHON.search(explanation):
        hint = (
            f'Choose releases that support Python {target.python}, or another Python for the app: python = "..." in '
            "auto-lambda.toml."
        )
        return AppError(Code.REQUIREMENTS_CONFLICT, explanation, hint=hint)
    if (match := _NO_VERSION.search(explanation)) and "depends on" not in explanation:
        hint = f"Choose a version that exists, in {where}."
        return AppError(Code.REQUIREMENT_NOT_FOUND, f"{match[1]} is not on the package index. {explanation}", hint=hint)
    hint = f"Change or loosen one of the versions named, in {where}."
    return AppError(Code.REQUIREMENTS_CONFLICT, explanation, hint=hint)


def _build_failed(what: str, output: str, target: BuildTarget) -> AppError:
    name = re.sub(r" @ file://\S*/local/\d+/", " @ ./", what) or "a dependency"
    return build_failed(name, output, target)


def build_failed(name: str, output: str, target: BuildTarget) -> AppError:
    """Return the error for a build that failed, with its last lines, which are the compiler's."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not line.startswith("hint:")]
    last = "\n".join(_OUR_FOLDERS.sub("", line.removeprefix(" " * 9)) for line in lines[-_LAST_LINES:])[-_MAX_LENGTH:]
    found = native.hint(_NAME.split(name, maxsplit=1)[0], output)
    return AppError(Code.DEPENDENCY_BUILD_FAILED, f"{name} does not build:\n{last}", hint=found or _hint_wheel(target))


def _hint_wheel(target: BuildTarget) -> str:
    return (
        f"Choose a release that offers a wheel for Python {target.python} on {target.architecture} Linux, choose an "
        'older Python for the app (python = "..." in auto-lambda.toml), or put a wheel into the zip and name its path.'
    )


def _explanation(output: str) -> str:
    """Return the explanation without its frame, trimmed."""
    lines = [re.sub(r"^\W*(?:error|cause)?:? *", "", line).strip() for line in output.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("hint", "warning", "No solution found"))]
    text = " ".join(kept).replace(", we can conclude that your requirements are unsatisfiable", "")
    return text[:_MAX_LENGTH] + ("..." if len(text) > _MAX_LENGTH else "")
