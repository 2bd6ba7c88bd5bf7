"""Add to a draft what ``[throttle]`` says: how many requests its API lets through, alike for all frameworks."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from builder.model import Draft, Throttle
from builder.source import documents
from builder.source.options import FILE

_EVERY_METHOD = {"ResourcePath": "/*", "HttpMethod": "*"}
_STAGES = ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage")


def with_throttle(draft: Draft, throttle: Throttle | None) -> Draft:
    """Return a draft whose APIs let through so many requests, and answer 429 to the others.

    Raises:
        AppError: ``bad-config`` for an app without an API.
    """
    if throttle is None:
        return draft
    template = copy.deepcopy(draft.template)
    stages = [one for one in template["Resources"].values() if one["Type"] in _STAGES]
    if not stages:
        raise documents.bad_config(FILE, "[throttle] is for an API, and the app has none", hint="Leave it out.")
    limits = {"ThrottlingRateLimit": throttle.rate, "ThrottlingBurstLimit": throttle.burst}
    for stage in stages:
        _limit(stage["Properties"], limits, rest=stage["Type"] == _STAGES[0])
    return dataclasses.replace(draft, template=template)


def _limit(properties: dict[str, Any], limits: dict[str, Any], *, rest: bool) -> None:
    if not rest:
        properties["DefaultRouteSettings"] = {**properties.get("DefaultRouteSettings", {}), **limits}
        return
    others = properties.get("MethodSettings", [])
    whole = next((one for one in others if one.items() >= _EVERY_METHOD.items()), _EVERY_METHOD)
    properties["MethodSettings"] = [{**whole, **limits}, *(one for one in others if one is not whole)]
