"""The gate's rule for an app's URL, which the worker calls and the receipt shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from auto_lambda.model import Template
from worker.deploy.gate.symbols import REGION, lone_symbol, symbol
from worker.deploy.gate.template import TemplateView, Violation, text

_OUTPUT = "AutoLambdaUrl"
_SUFFIX = symbol("AWS::URLSuffix")
_URL = re.compile(
    rf"(?:https|wss)://{symbol('(?P<api>[A-Za-z0-9]+)')}\.execute-api\.(?:{REGION}|[a-z]{{2}}(?:-[a-z]+)+-\d)\."
    rf"(?:{_SUFFIX}|amazonaws\.com(?:\.cn)?)(?:/(?:[\w$-]|{symbol('[A-Za-z0-9]+')})*)*"
)
_APIS = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api")


def problems(template: Template) -> Iterator[Violation]:
    """Yield a violation if the app's URL may be any other than that of an API or a function of the template."""
    output = template.get("Outputs", {}).get(_OUTPUT)
    if output is not None and not _is_own(output["Value"], TemplateView(template["Resources"])):
        yield Violation(_OUTPUT, "the app's URL must be that of an API or a function of its own template")


def _is_own(value: Any, view: TemplateView) -> bool:
    rendered = text(value)
    if written := _URL.fullmatch(rendered):
        return view.resources.get(written["api"], {}).get("Type") in _APIS
    return lone_symbol(rendered) is not None and view.refers_to(value, "Lambda::Url", "FunctionUrl") is not None
