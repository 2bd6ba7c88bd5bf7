"""A template comes from the untrusted side: see that it has the shape of one before it is worked on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from auto_lambda.errors import AppError, Code
from builder.protocol.channel import deeper_than

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


def check_shape(template: Any, main: str, notified: Iterable[str]) -> None:
    """Raise unless the template can be published.

    Args:
        template: as parsed JSON.
        main: logical id of the function that stands for the app.
        notified: logical ids of the functions that buckets call.

    Raises:
        AppError: it is no template, or names no function where it must.
    """
    try:
        if deeper_than(template, MAX_DEPTH):
            raise _refused(f"it is nested deeper than {MAX_DEPTH} levels")
        shape = _TEMPLATE.validate_python(template)
        functions = {name for name, one in shape.Resources.items() if one.Type == "AWS::Lambda::Function"}
        for name in functions:
            _FunctionProperties.model_validate(shape.Resources[name].Properties)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    if any(one.Type == "AWS::Lambda::LayerVersion" for one in shape.Resources.values()):
        raise _refused("it has a layer of its own, and layers are made of the dependencies only")
    if bad := [name for name in (*shape.Resources, *shape.Outputs) if not _ID.fullmatch(name)]:
        raise _refused(f"{bad[0]!r} is not a logical id")
    if unknown := {main, *notified} - functions:
        raise _refused(f"{min(unknown)!r} is not one of its functions")


def _refused(reason: str) -> AppError:
    return AppError(
        Code.TEMPLATE_REFUSED,
        f"What the app compiled to is not a usable template: {reason}.",
        hint="Importing the app must not change how its framework packages it.",
    )
