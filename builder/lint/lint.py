"""Refuses a draft that AWS would refuse, in the words of its framework, before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from auto_lambda.errors import AppError, Code, first_lines
from auto_lambda.model import Template
from builder.lint import cycles, limits, rights, routes, schedules, schemas, sources
from builder.lint.refusal import Refusal

SettingNames = Mapping[tuple[str, str], str]
"""Where an app's author writes a property: type of the resource without ``AWS::`` and property -> a setting."""

_SHOWN = 10
_HINT = "Correct each value that AWS would refuse, and drop the app again."


def lint(template: Template, names: SettingNames, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    """Return if AWS would take the template, as far as its schemas and documentation tell.

    Args:
        template: a draft's, whose shape was checked.
        names: the framework's own words for properties.
        environment: variables that every function has besides its own.

    Raises:
        AppError: ``bad-config``; the message names each value and its setting.
    """
    found = [*schemas.findings(template), *_of_values(template), *rights.findings(template)]
    found += [*cycles.findings(template), *limits.findings(template, environment), *routes.findings(template)]
    lines = list(dict.fromkeys(_line(one, names) for one in found))
    if lines:
        raise AppError(
            Code.BAD_CONFIG,
            "AWS would refuse what the app compiled to:\n" + "\n".join(first_lines(lines, _SHOWN)),
            hint="Change the settings that the lines name, and drop the app again.",
        )


def value_problems(template: Template, names: SettingNames, where: str) -> Iterator[AppError]:
    """Yield an error for each value that AWS would refuse, in resources that settings alone make.

    Args:
        template: resources as far as the settings show them, before anything is built.
        names: the framework's own words for properties.
        where: what stands before such a word in a message, with the space.
    """
    found = [*schemas.findings(template, whole=False), *_of_values(template)]
    for place, reason in dict.fromkeys((_setting(one, names) or ".".join(one.path), one.reason) for one in found):
        yield value_problem(f"{where}{place}", reason)


def value_problem(place: str, reason: str) -> AppError:
    """Return the error for a value that AWS would refuse.

    Args:
        place: where its author has written it.
        reason: what is wrong with it.
    """
    return AppError(Code.BAD_CONFIG, f"AWS would refuse {place}: {reason}", hint=_HINT)


def _of_values(template: Template) -> Iterator[Refusal]:
    yield from schedules.findings(template)
    yield from sources.findings(template)


def _setting(refusal: Refusal, names: SettingNames) -> str | None:
    kind = refusal.kind.removeprefix("AWS::")
    return next((names[kind, part] for part in reversed(refusal.path) if (kind, part) in names), None)


def _line(refusal: Refusal, names: SettingNames) -> str:
    place = f"{'.'.join(refusal.path) or 'properties'} of {refusal.resource}, {refusal.kind}"
    setting = _setting(refusal, names)
    return f"{setting} ({place}): {refusal.reason}" if setting else f"{place}: {refusal.reason}"
