"""``[traffic]`` of ``auto-lambda.toml`` as it travels from the builder to the worker, which checks it once more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["canary", "linear"]

SHORTEST, LONGEST = 5, 86_400
"""Seconds of an interval."""
MOST_ALARMS = 10
ALARM = r"^arn:[a-z-]+:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:[A-Za-z0-9._/-]{1,255}$"
"""The ARN of an alarm. CloudWatch allows more characters in names; wildcards and quotes are none of them here."""
STAGE = r"^[a-z0-9][a-z0-9-]{0,39}$"


class TrafficMessage(BaseModel):
    """How a new release takes the traffic over, and what sends it back.

    Attributes:
        kind: ``canary``: a share for an interval, then all; ``linear``: a share more after each interval.
        percent: the share.
        interval: seconds.
        stages: in which this holds; all if empty.
        errors: percent of the new version's calls that may fail.
        slower: how many times as long as the live version's its calls may take on the average.
        alarms: ARNs of CloudWatch alarms that must not ring.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: Kind
    percent: Annotated[int, Field(ge=1, le=99)]
    interval: Annotated[int, Field(ge=SHORTEST, le=LONGEST)]
    stages: Annotated[list[Annotated[str, Field(pattern=STAGE)]], Field(max_length=20)] = Field(default_factory=list)
    errors: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.0
    slower: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = 3.0
    alarms: Annotated[list[Annotated[str, Field(pattern=ALARM)]], Field(max_length=MOST_ALARMS)] = Field(
        default_factory=list
    )
