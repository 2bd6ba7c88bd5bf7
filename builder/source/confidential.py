"""Finds the values of an app's own variables that no log may show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.redact import confidential
from builder.model import Source
from builder.source.settings import read_chalice, read_zappa

_SECTIONS = ("environment_variables", "aws_environment_variables")


def confidential_values(source: Source) -> frozenset[str]:
    """Return the values of ``[environment]`` and of the framework's own settings for variables, of every stage.

    Raises:
        AppError: ``bad-config``.
    """
    values = confidential(source.options.environment)
    return values.union(*(confidential(section) for section in _sections(_settings(source))))


def _settings(source: Source) -> Mapping[str, Any]:
    match source.framework:
        case "chalice":
            return read_chalice(source.root).data
        case "zappa":
            return read_zappa(source.root).stages
        case "plain":
            return {}


def _sections(settings: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    waiting: list[Any] = [settings]
    while waiting:
        found = waiting.pop()
        for name, value in found.items():
            if isinstance(value, Mapping):
                waiting.append(value)
                if name in _SECTIONS:
                    yield {str(key): text for key, text in value.items() if isinstance(text, str)}
