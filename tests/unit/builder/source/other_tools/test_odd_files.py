"""Files of other tools may hold anything: what comes of them is text that auto-lambda.toml can be read from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.source.other_tools.sam import FUNCTION, SAM_FUNCTION, sam_app
from builder.source.other_tools.serverless import serverless_app

WORDS = st.sampled_from(
    ["Ref", "Fn::Sub", "Fn::GetAtt", "arn:aws:sqs:x:1:q", "${AWS::Region}",
     "${self:custom.a}", "a", "12", "", "\x7f\n\"'#]",
     "\U0001f600", "SQS", "SNS", "S3", "Schedule", "Api", "true", "python3.12", "DB_PASSWORD", "NAME"]
)  # fmt: skip
LEAVES = WORDS | st.text(max_size=8) | st.none()
KEYS = st.sampled_from(
    ["Type", "Properties", "Queue", "Topic", "Bucket", "Events", "Filter", "S3Key", "Rules", "Name",
     "Value", "BatchSize", "Handler",
     "CodeUri", "Environment", "Variables", "Runtime", "MemorySize", "FunctionUrlConfig", "AuthType", "sqs",
     "sns", "s3", "schedule", "http", "arn", "rate", "bucket", "rules", "prefix", "events", "environment", "handler"]
) | WORDS  # fmt: skip
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@settings(max_examples=100, deadline=None)
@given(
    functions=st.dictionaries(WORDS, st.dictionaries(KEYS, ANYTHING, max_size=6), max_size=3),
    shared=st.dictionaries(KEYS, ANYTHING, max_size=4),
    kind=st.sampled_from([SAM_FUNCTION, FUNCTION]),
)
def test_any_template_becomes_toml(functions: dict[str, Any], shared: dict[str, Any], kind: str) -> None:
    resources = {name: {"Type": kind, "Properties": properties} for name, properties in functions.items()}
    app = sam_app({"Globals": {"Function": shared}, "Resources": resources, "Parameters": shared}, Path("/none"), kind)
    assert app is None or tomllib.loads(str(app))["functions"]


@settings(max_examples=100, deadline=None)
@given(
    functions=st.dictionaries(WORDS, st.dictionaries(KEYS, ANYTHING, max_size=6), max_size=3),
    provider=st.dictionaries(KEYS, ANYTHING, max_size=4),
    custom=ANYTHING,
)
def test_any_configuration_becomes_toml(functions: dict[str, Any], provider: dict[str, Any], custom: Any) -> None:
    app = serverless_app({"functions": functions, "provider": provider, "custom": custom})
    assert tomllib.loads(str(app))["functions"]
