"""The Python runtimes that Lambda offers, as data.

Source: AWS Lambda Developer Guide, 'Building Lambda functions with Python' (the table of runtimes: identifier,
operating system, deprecation, block function create, block function update), read in 2026. The C library is the
operating system's: Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has glibc 2.34.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Runtime:
    """One managed runtime.

    Attributes:
        minor: the Python version, such as ``"3.12"``.
        system: the operating system's name, for messages.
        glibc: the newest glibc symbol version that a binary may need.
        deprecated: no security patches from then on.
        create_blocked: no new functions from then on.
        update_blocked: no function updates from then on.
    """

    minor: str
    system: str
    glibc: tuple[int, int]
    deprecated: date
    create_blocked: date
    update_blocked: date

    @property
    def identifier(self) -> str:
        """Lambda's identifier: ``python3.12``."""
        return f"python{self.minor}"


def _al2(minor: str, *dates: date) -> Runtime:
    return Runtime(minor, "Amazon Linux 2", (2, 26), *dates)


def _al2023(minor: str, *dates: date) -> Runtime:
    return Runtime(minor, "Amazon Linux 2023", (2, 34), *dates)


RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        runtime.minor: runtime
        for runtime in (
            _al2("3.10", date(2026, 10, 31), date(2026, 11, 30), date(2027, 1, 15)),
            _al2("3.11", date(2027, 6, 30), date(2027, 7, 31), date(2027, 8, 31)),
            _al2023("3.12", date(2028, 10, 31), date(2028, 11, 30), date(2029, 1, 10)),
            _al2023("3.13", date(2029, 6, 30), date(2029, 7, 31), date(2029, 8, 31)),
            _al2023("3.14", date(2029, 6, 30), date(2029, 7, 31), date(2029, 8, 31)),
        )
    }
)
"""Runtimes by Python version, oldest first."""


def newest_first(minors: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the given Python versions that Lambda offers, newest first."""
    return tuple(minor for minor in reversed(tuple(RUNTIMES)) if minor in minors)
