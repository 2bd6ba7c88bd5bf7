"""Which cold starts prove an app: each distinct one once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from builder.model import Draft, Foreseen

_FUNCTION = "AWS::Lambda::Function"
# Lambda's defaults: docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
_MEMORY, _TIMEOUT = 128, 3
LONGEST_EVENT = 30
_PSEUDO = {"AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start, for one function or several that start alike.

    Attributes:
        function: logical id.
        handler: ``module.function``.
        environment: its variables, Lambda's that name the function included.
        memory: MB.
        seconds: for one event.
        event: sent after the start, None for none.
        called: other functions that must exist: what asks for it -> dotted path.
    """

    function: str
    handler: str
    environment: Mapping[str, str]
    memory: int
    seconds: int
    event: Mapping[str, Any] | None
    called: Mapping[str, str]


def starts(draft: Draft, environment: Mapping[str, str], region: str) -> tuple[Start, ...]:
    """Return the starts of an app, the main function's first.

    Functions with the same module, variables and memory start alike: the first stands for all, and of the others only
    the handler's name is looked up.

    Args:
        draft: its functions.
        environment: variables that every function has besides its own.
        region: that functions find in their environment.
    """
    groups: dict[object, list[tuple[str, Mapping[str, Any]]]] = {}
    for name, properties in sorted(_functions(draft), key=lambda one: (one[0] != draft.main, one[0])):
        module = str(properties["Handler"]).rpartition(".")[0]
        variables = {**_variables(properties, region), **environment}
        alike = module, frozenset(variables.items()), _memory(properties)
        groups.setdefault(alike, []).append((name, properties))
    return tuple(_start(group, draft, environment, region) for group in groups.values())


def foreseen_start(foreseen: Foreseen, environment: Mapping[str, str], region: str) -> Start:
    """Return the start of a function whose event is not known yet; see `starts`."""
    name, properties = foreseen.function, foreseen.properties
    return Start(
        function=name,
        handler=str(properties["Handler"]),
        environment={**_lambdas(name, properties, region), **_variables(properties, region), **environment},
        memory=_memory(properties),
        seconds=LONGEST_EVENT,
        event=None,
        called={},
    )


def _start(
    group: list[tuple[str, Mapping[str, Any]]], draft: Draft, environment: Mapping[str, str], region: str
) -> Start:
    (name, properties), *others = group
    main = name == draft.main
    called = {other: str(one["Handler"]) for other, one in others if one["Handler"] != properties["Handler"]}
    timeout = properties.get("Timeout")
    return replace(
        foreseen_start(Foreseen(name, properties), environment, region),
        seconds=min(timeout if isinstance(timeout, int) else _TIMEOUT, LONGEST_EVENT),
        event=draft.first_event if main else None,
        called={**called, **(draft.called if main else {})},
    )


def _functions(draft: Draft) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in draft.template["Resources"].items():
        if resource["Type"] == _FUNCTION:
            yield name, resource.get("Properties", {})


def _memory(properties: Mapping[str, Any]) -> int:
    memory = properties.get("MemorySize")
    return memory if isinstance(memory, int) else _MEMORY


def _lambdas(name: str, properties: Mapping[str, Any], region: str) -> dict[str, str]:
    given = properties.get("FunctionName")
    function = given if isinstance(given, str) else name
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_memory(properties)),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
        "AUTO_LAMBDA_RELEASE": "proof",  # its value comes with the final template
    }


def _variables(properties: Mapping[str, Any], region: str) -> dict[str, str]:
    variables = properties.get("Environment", {}).get("Variables", {})
    return {name: _value(value, region) for name, value in variables.items()}


def _value(value: Any, region: str) -> str:
    """Return a literal as it is, and a placeholder for what only CloudFormation knows, so that the variable is set."""
    if isinstance(value, dict):
        referred = str(value.get("Ref", "placeholder"))
        return {**_PSEUDO, "AWS::Region": region}.get(referred, referred.replace("::", "-"))
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
