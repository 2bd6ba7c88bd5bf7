from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.namespace import DEFAULT_PIPELINE
from auto_lambda_cli.pipeline.maker import bucket_name
from auto_lambda_cli.pipeline.naming import buckets, defaults, problem, roles
from auto_lambda_cli.pipeline.parts import ORDER, stack_name

LONGEST_REGION = "ap-southeast-1"
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True).filter(lambda name: problem(name) is None)


@pytest.mark.parametrize("name", ["auto-lambda", "staging", "a", "team-7", "x" * 25])
def test_names_of_pipelines(name: str) -> None:
    assert problem(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("al-shop", "those of apps"),
        ("al", "those of apps"),
        ("Shop", "lower-case"),
        ("x" * 26, "at most 25"),
        ("", "at most"),
        ("a--b", "single hyphens"),
        ("a-", "single hyphens"),
        ("staging-fleet", "of the pipeline staging"),
        ("staging-roles", "of the pipeline staging"),
    ],
)
def test_names_that_no_pipeline_can_have(name: str, why: str) -> None:
    assert why in (problem(name) or "")


@given(NAMES)
def test_every_name_that_is_made_of_it_is_one_to_aws(name: str) -> None:
    made = (*buckets(name, "1" * 12, LONGEST_REGION), bucket_name(name, "1" * 12, LONGEST_REGION))
    assert all(len(bucket) <= 63 for bucket in made)
    assert all(len(role) <= 64 for role in roles(name, LONGEST_REGION))


@given(NAMES, NAMES)
def test_two_pipelines_have_no_name_in_common(one: str, other: str) -> None:
    def named(name: str) -> set[str]:
        chosen = {"LogPrefix": "/auto-lambda", "ImagePrefix": "/auto-lambda/image", "MetricsNamespace": "AutoLambda"}
        told = {**chosen, **defaults(name)}
        stacks = {f"stack {stack_name(name, part)}" for part in ORDER}
        return stacks | {f"{told['LogPrefix']}/worker", f"{told['ImagePrefix']}/arm64", told["MetricsNamespace"]}

    assert one == other or not named(one) & named(other)


def test_the_default_pipeline_keeps_the_names_that_it_had() -> None:
    assert defaults(DEFAULT_PIPELINE) == {}
    assert stack_name(DEFAULT_PIPELINE, "core") == "auto-lambda"
