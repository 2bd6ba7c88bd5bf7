"""Sees that a SAM template is one as chalice makes them: the app's own code may have changed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from builder.diagnosis.syntax import clean
from builder.template_limits import check_limits, refused

_LONGEST = 300  # characters


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Resource(_Shape):
    Type: str
    Properties: dict[str, Any] = {}
    DependsOn: str | list[str] = ""
    DeletionPolicy: str = ""
    UpdateReplacePolicy: str = ""
    Metadata: dict[str, Any] = {}


class _Sam(_Shape):
    AWSTemplateFormatVersion: Literal["2010-09-09"]
    Transform: Literal["AWS::Serverless-2016-10-31"]
    Resources: dict[str, _Resource]
    Outputs: dict[str, dict[str, Any]] = {}


def check_sam(sam: Mapping[str, Any]) -> None:
    """Return if the template can be expanded.

    Raises:
        AppError: ``template-refused``, and what `check_limits` raises.
    """
    check_limits(sam)
    try:
        _Sam.model_validate(sam)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise refused(clean(f"{place[:_LONGEST]}: {first['msg'][:_LONGEST]}")) from None
