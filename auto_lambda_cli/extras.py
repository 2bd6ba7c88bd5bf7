"""Commands that need more than the base installation, and the message if it is missing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import ParamSpec, TypeVar

from auto_lambda_cli.exits import Exit, leave

DISTRIBUTION = "auto-lambda"
P = ParamSpec("P")
R = TypeVar("R")


def needs(extra: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a command that runs only with this extra; without it the command ends with one line that names it."""

    def marked(command: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(command)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if absent := missing(extra):
                raise leave(
                    Exit.USAGE,
                    f"this command needs more than the base installation: pip install '{DISTRIBUTION}[{extra}]' "
                    f"(missing: {', '.join(absent)})",
                )
            return command(*args, **kwargs)

        return checked

    return marked


def missing(extra: str) -> list[str]:
    """List the packages of an extra that are not installed."""
    return sorted({name for name in _packages(extra) if not _installed(name)})


def _packages(extra: str) -> Iterator[str]:
    from packaging.requirements import Requirement

    for line in _requirements():
        requirement = Requirement(line)
        if not requirement.marker or not requirement.marker.evaluate({"extra": extra}):
            continue
        if requirement.name != DISTRIBUTION:
            yield requirement.name
            continue
        for other in requirement.extras:
            yield from _packages(other)


def _requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []  # run from sources that are not installed: an import will fail


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
