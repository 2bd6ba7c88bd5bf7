from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.keys import App
from worker.ownership import foreign, pipeline_of, stack_tags

SHOP = App("dev", "shop")
PIPELINES = st.from_regex(r"[a-z][a-z0-9-]{0,24}", fullmatch=True)
UNNAMED = {"auto-lambda:app": "shop", "auto-lambda:stage": "dev"}


@given(PIPELINES)
def test_a_pipelines_buckets_tell_its_name(pipeline: str) -> None:
    assert pipeline_of(f"{pipeline}-artifacts-111122223333-eu-west-1") == pipeline


@given(PIPELINES, PIPELINES, st.booleans())
def test_a_stack_is_its_pipelines_alone(one: str, other: str, known: bool) -> None:
    tags = stack_tags(SHOP, one)
    assert foreign(tags, SHOP, one, known=known) is None
    if one != other:
        assert foreign(tags, SHOP, other, known=known) == f"belongs to the pipeline {one}"


@pytest.mark.parametrize(
    ("pipeline", "known", "ours"),
    [("auto-lambda", False, True), ("auto-lambda", True, True), ("staging", True, True), ("staging", False, False)],
)
def test_a_stack_without_a_pipelines_name_belongs_to_whoever_knows_it(pipeline: str, known: bool, ours: bool) -> None:
    assert (foreign(UNNAMED, SHOP, pipeline, known=known) is None) == ours


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        ({}, "was not made by this pipeline"),
        ({"team": "billing"}, "was not made by this pipeline"),
        ({**UNNAMED, "auto-lambda:app": "sh", "auto-lambda:stage": "op-dev"}, "belongs to op-dev/sh"),
        ({"auto-lambda:app": "shop"}, "was not made by this pipeline"),
    ],
)
def test_whoever_else_made_it_is_told(tags: dict[str, str], whose: str) -> None:
    assert foreign(tags, SHOP, "auto-lambda", known=True) == whose
