"""An app is told which of its policies' actions its boundary withholds."""

from __future__ import annotations

import pytest

from worker.deploy.rights.bounded import beyond
from worker.deploy.rights.permissions import Permission

WIDE = "arn:aws:iam::123456789012:policy/auto-lambda-AppBoundary-1ABCDEFGHIJKL"


def allow(*actions: str) -> list[Permission]:
    return [Permission("Allow", action, "*") for action in actions]


@pytest.mark.parametrize("action", ["s3:GetObject", "S3:getobject", "dynamodb:PutItem", "sqs:SendMessage", "ses:Send*"])
def test_what_the_boundary_gives_is_silent(action: str) -> None:
    assert beyond(allow(action), WIDE) is None


def test_what_it_withholds_is_told_by_name() -> None:
    told = beyond(allow("ec2:RunInstances", "iam:CreateUser", "s3:GetObject", "ec2:RunInstances"), WIDE)
    assert told
    assert "withholds: ec2:RunInstances, iam:CreateUser. The app cannot" in told


@pytest.mark.parametrize("action", ["*", "s3:*", "dynamodb:*"])
def test_what_it_gives_in_part_is_told_as_such(action: str) -> None:
    assert f"{action} (in part)" in str(beyond(allow(action), WIDE))


def test_a_long_list_is_cut() -> None:
    assert "and 3 more" in str(beyond(allow(*(f"iam:Do{number:02}" for number in range(13))), WIDE))


def test_what_is_denied_or_attached_is_not_asked_for() -> None:
    others = [Permission("Deny", "iam:*", "*"), Permission("Attach", "", "arn:aws:iam::aws:policy/x")]
    assert beyond(others, WIDE) is None


@pytest.mark.parametrize(
    "boundary",
    [
        "arn:aws:iam::123456789012:policy/auto-lambda/boundaries/payments",
        "arn:aws:iam::123456789012:policy/auto-lambda-NamespaceBoundary-1ABCDEFGHIJKL",
    ],
)
def test_of_another_boundary_nothing_is_said(boundary: str) -> None:
    assert beyond(allow("iam:CreateUser"), boundary) is None
