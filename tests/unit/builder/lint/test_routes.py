"""Routes that a REST API cannot have beside one another."""

from __future__ import annotations

from typing import Any

import pytest

from builder.lint.routes import findings


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["/a/{x}", "/a/{y}"], ["/a/{x}", "/a/{y}"]),
        (["/a/{x}", "/a/{y}/b"], ["/a/{x}", "/a/{y}/b"]),
        (["/{x}", "/{y}/{z}"], ["/{x}", "/{y}/{z}"]),
        (["/a/{x}", "/a/{x}/b", "/a/b", "/b/{y}", "/{z}"], []),
        (["/a/{x}/c/{u}", "/a/{x}/d/{v}"], []),
        (["/", ""], []),
    ],
)
def test_one_variable_part_at_one_place(paths: list[str], told: list[str]) -> None:
    body: Any = {"paths": {path: {} for path in paths}}
    template: Any = {"Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}}}}
    reasons = [one.reason for one in findings(template)]
    assert len(reasons) == (1 if told else 0)
    assert all(repr(one) in reason for one in told for reason in reasons)


@pytest.mark.parametrize("body", [None, "x", {}, {"paths": ["/{a}", "/{b}"]}])
def test_other_bodies_have_no_routes(body: Any) -> None:
    template: Any = {"Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}}}}
    assert list(findings(template)) == []
