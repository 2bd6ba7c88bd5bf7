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
        raise refused(_explain(error.errors(include_url=False)[0])) from None


def _explain(problem: Mapping[str, Any]) -> str:
    """Say in words for the uploader where a template differs."""
    *_, last = problem["loc"]
    place = clean(".".join(str(part) for part in problem["loc"][:-1])[:_LONGEST]) or "the template"
    name = clean(repr(str(last)[:_LONGEST]))
    match problem["type"]:
        case "extra_forbidden":
            return f"{place} has {name}, which chalice never writes"
        case "missing":
            return f"{place} lacks {name}"
    return f"{name} of {place} is not what chalice writes"
