"""Tells whose the stack of an app is: which pipeline made it, and for which app."""

from __future__ import annotations

from collections.abc import Mapping

from auto_lambda.keys import App
from auto_lambda.namespace import APP_TAG, DEFAULT_PIPELINE, PIPELINE_TAG, STAGE_TAG


def pipeline_of(artifacts_bucket: str) -> str:
    """Return the name of a pipeline, which its buckets begin with."""
    return artifacts_bucket.rpartition("-artifacts-")[0] or DEFAULT_PIPELINE


def stack_tags(app: App, pipeline: str) -> dict[str, str]:
    """Return the tags of an app's stack, which CloudFormation copies to everything in it."""
    return {APP_TAG: app.name, STAGE_TAG: app.stage, PIPELINE_TAG: pipeline}


def foreign(tags: Mapping[str, str], app: App, pipeline: str, *, known: bool) -> str | None:
    """Say why a stack with these tags is not the app's in this pipeline; None if it is.

    Earlier versions named no pipeline in the tags. Such a stack belongs to the pipeline that knows it, or to the one
    with the default name: there was only one pipeline then.

    Args:
        tags: of the stack.
        app: that needs the stack.
        pipeline: the name of this pipeline.
        known: the app is live according to the ledger of this pipeline.
    """
    if not {APP_TAG, STAGE_TAG} <= tags.keys():
        return "was not made by this pipeline"
    if (tags[APP_TAG], tags[STAGE_TAG]) != (app.name, app.stage):
        return f"belongs to {tags[STAGE_TAG]}/{tags[APP_TAG]}"
    owner = tags.get(PIPELINE_TAG)
    if owner is None:
        return None if known or pipeline == DEFAULT_PIPELINE else "was made by an earlier version, for another pipeline"
    return None if owner == pipeline else f"belongs to the pipeline {owner}"
