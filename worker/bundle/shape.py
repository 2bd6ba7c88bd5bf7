"""A draft's template comes from the untrusted side: see that it has the shape of one before it is worked on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from auto_lambda.errors import AppError, Code
from builder.model import Draft

MAX_DEPTH = 60
_ID = re.compile(r"[A-Za-z0-9]{1,200}")


class _Wishes(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    ProvisionedConcurrency: int = Field(default=0, ge=0)


class _Metadata(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    AutoLambda: _Wishes = Field(default_factory=_Wishes)


class _Resource(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    Type: str
    Properties: dict[str, Any] = Field(default_factory=dict)
    DependsOn: str | list[str] = ""
    Metadata: _Metadata = Field(default_factory=_Metadata)


class _Environment(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    Variables: dict[str, str | dict[str, Any]] = Field(default_factory=dict)


class _FunctionProperties(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    Environment: _Environment = Field(default_factory=_Environment)
    Layers: list[Any] = Field(default_factory=list)


class _Template(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    Resources: dict[str, _Resource]
    Outputs: dict[str, Any] = Field(default_factory=dict)


_TEMPLATE = TypeAdapter(_Template)


def check_shape(draft: Draft) -> None:
    """Raise unless the template can be published.

    Raises:
        AppError: it is no template, or names no function where it must.
    """
    try:
        if _deeper_than(draft.template, MAX_DEPTH):
            raise _refused(f"it is nested deeper than {MAX_DEPTH} levels")
        template = _TEMPLATE.validate_python(draft.template)
        functions = {name for name, one in template.Resources.items() if one.Type == "AWS::Lambda::Function"}
        for name in functions:
            _FunctionProperties.model_validate(template.Resources[name].Properties)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    if bad := [name for name in (*template.Resources, *template.Outputs) if not _ID.fullmatch(name)]:
        raise _refused(f"{bad[0]!r} is not a logical id")
    if unknown := {draft.main, *(item.function for item in draft.notifications)} - functions:
        raise _refused(f"{min(unknown)!r} is not one of its functions")


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _refused(reason: str) -> AppError:
    return AppError(
        Code.TEMPLATE_REFUSED,
        f"What the app compiled to is not a usable template: {reason}.",
        hint="Importing the app must not change how its framework packages it.",
    )
