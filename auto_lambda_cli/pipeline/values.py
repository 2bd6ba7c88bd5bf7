"""The values of a pipeline's parameters, against what its templates admit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda_cli.pipeline.parts import all_parts, load_template


def wrong_values(given: Mapping[str, str]) -> list[str]:
    """Say of each value that a template does not admit what it may be.

    CloudFormation would say it too, but of a later stack only after the earlier ones are made.
    """
    wrong: dict[str, str] = {}
    for part in all_parts():
        for name, rules in load_template(part.text).get("Parameters", {}).items():
            for needed in _broken(rules, given[name]) if name in given else ():
                wrong.setdefault(name, f"{name} is {given[name]!r}: {needed}")
    return list(wrong.values())


def _broken(rules: Mapping[str, Any], value: str) -> Iterator[str]:
    allowed = [str(one) for one in rules.get("AllowedValues", ())]
    if allowed and value not in allowed:
        yield f"it is one of {', '.join(allowed)}"
    elif rules.get("Type") == "Number":
        least, most = rules.get("MinValue", 0), rules.get("MaxValue", 10**9)
        if not re.fullmatch("[0-9]{1,9}", value) or not least <= int(value) <= most:
            yield f"it is a whole number from {least} to {most}"
    elif not re.fullmatch(str(rules.get("AllowedPattern", "(?s:.*)")), value):
        yield f"it has to match {rules['AllowedPattern']}"
