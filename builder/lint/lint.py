"""Refuses a draft that AWS would refuse, in the words of its framework, before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from auto_lambda.errors import AppError, Code, first_lines
from auto_lambda.model import Template
from builder.lint import cycles, limits, rights, routes, schedules, schemas
from builder.lint.refusal import Refusal

SettingNames = Mapping[tuple[str, str], str]
"""Where an app's author writes a property: type of the resource without ``AWS::`` and property -> a setting."""

_SHOWN = 10


def lint(template: Template, names: SettingNames, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    """Return if AWS would take the template, as far as its schemas and documentation tell.

    Args:
        template: a draft's, whose shape was checked.
        names: the framework's own words for properties.
        environment: variables that every function has besides its own.

    Raises:
        AppError: ``bad-config``; the message names each value and its setting.
    """
    found = [*schemas.findings(template), *schedules.findings(template), *rights.findings(template)]
    found += [*cycles.findings(template), *limits.findings(template, environment), *routes.findings(template)]
    lines = list(dict.fromkeys(_line(one, names) for one in found))
    if lines:
        raise AppError(
            Code.BAD_CONFIG,
            "AWS would refuse what the app compiled to:\n" + "\n".join(first_lines(lines, _SHOWN)),
            hint="Change the settings that the lines name, and drop the app again.",
        )


def _line(refusal: Refusal, names: SettingNames) -> str:
    kind = refusal.kind.removeprefix("AWS::")
    place = f"{'.'.join(refusal.path) or 'properties'} of {refusal.resource}, {refusal.kind}"
    setting = next((names[kind, part] for part in reversed(refusal.path) if (kind, part) in names), None)
    return f"{setting} ({place}): {refusal.reason}" if setting else f"{place}: {refusal.reason}"
