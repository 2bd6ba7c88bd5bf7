"""Variables that are too large together, and tags that are not the app's to set."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.lint.limits import findings, why_too_large

FUNCTION = "AWS::Lambda::Function"


def found(kind: str, environment: dict[str, str] | None = None, **properties: Any) -> list[tuple[tuple[str, ...], str]]:
    template: Any = {"Resources": {"F": {"Type": kind, "Properties": properties}}}
    return [(one.path, one.reason) for one in findings(template, environment or {})]


def test_variables_count_together_with_those_that_every_function_has() -> None:
    own = {"Variables": {"A": "x" * 2000}}
    assert found(FUNCTION, Environment=own) == []
    ((path, reason),) = found(FUNCTION, {"B": "y" * 2100}, Environment=own)
    assert path == ("Environment",)
    assert reason.startswith("all variables together are 4,1")
    assert found(FUNCTION, {"A": "y" * 100}, Environment=own) == []  # it replaces the own one


@given(st.dictionaries(st.text("ABC", min_size=1, max_size=5), st.text(max_size=3000), max_size=3))
def test_each_byte_counts(variables: dict[str, str]) -> None:
    least = sum(len(name) + len(value.encode()) for name, value in variables.items())
    if least > 4096:
        assert why_too_large(variables)
    if least < 600:
        assert not why_too_large(variables)


@pytest.mark.parametrize("tags", [{"aws:x": "y"}, [{"Key": " AWS:x", "Value": "y"}], {"Auto-Lambda:app": "other"}])
def test_reserved_tags(tags: Any) -> None:
    ((path, reason),) = found("AWS::SQS::Queue", Tags=tags)
    assert path == ("Tags",)
    assert "is not the app's to set" in reason


@pytest.mark.parametrize("tags", [{"team": "aws:x"}, [{"Key": "x", "Value": "aws:"}], "aws:x", None, [1]])
def test_other_tags(tags: Any) -> None:
    assert found("AWS::SQS::Queue", Tags=tags) == []
