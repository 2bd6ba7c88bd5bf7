"""Replace references to resources of an app's stack by what they stand for, so that another stack can say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda.namespace import Place

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")
_TABLE, _FUNCTION, _ROLE = "AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::IAM::Role"
_QUEUE, _TOPIC, _API = "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::ApiGatewayV2::Api"
_BY_ID = frozenset({_TABLE, _FUNCTION, _ROLE, _QUEUE, _TOPIC, _API, "AWS::ApiGateway::RestApi", "AWS::Lambda::Alias"})


class CannotResolve(ValueError):
    """A reference that only its own stack can resolve; the message names it."""


@dataclass(frozen=True, slots=True)
class StackValues:
    """What the references of a stack stand for.

    Attributes:
        kinds: type by logical id, as in the template.
        ids: physical id by logical id, as in the stack.
        place: where the stack is.
    """

    kinds: Mapping[str, str]
    ids: Mapping[str, str]
    place: Place

    def value(self, name: str) -> str | None:
        """Return what ``Fn``, or ``Fn.Arn``, stands for; None for a pseudo parameter, which every stack has.

        Raises:
            CannotResolve: it is not there yet, or is an attribute that the physical id does not tell.
        """
        if name.startswith("AWS::"):
            return None
        logical, _, attribute = name.partition(".")
        kind, physical = self.kinds.get(logical, ""), self.ids.get(logical)
        if physical is None or kind not in _BY_ID:
            raise CannotResolve(name)
        if not attribute:
            return physical
        if attribute in {"Arn", "TopicArn"} and (arn := self._arn(kind, physical)):
            return arn
        raise CannotResolve(name)

    def _arn(self, kind: str, physical: str) -> str | None:
        match kind:
            case "AWS::DynamoDB::Table":
                return self.place.arn("dynamodb", f"table/{physical}")
            case "AWS::Lambda::Function":
                return self.place.arn("lambda", f"function:{physical}")
            case "AWS::SQS::Queue":
                return self.place.arn("sqs", physical.rpartition("/")[2])
            case "AWS::SNS::Topic":
                return physical
        return None


def resolved(value: Any, values: StackValues) -> Any:
    """Return a part of a template in which nothing refers to resources.

    Raises:
        CannotResolve: something in it cannot be resolved.
    """
    match value:
        case list():
            return [resolved(one, values) for one in value]
        case {"Ref": str(name), **rest} if not rest:
            found = values.value(name)
            return value if found is None else found
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return values.value(f"{name}.{attribute}")
        case {"Fn::GetAtt": str(path), **rest} if not rest:
            return values.value(path)
        case {"Fn::Sub": str(text), **rest} if not rest:
            return _substituted(text, values)
        case dict():
            return {name: resolved(one, values) for name, one in value.items()}
    return value


def _substituted(text: str, values: StackValues) -> Any:
    def replace(found: re.Match[str]) -> str:
        known = values.value(found[1])
        return found[0] if known is None else known

    made = _VARIABLE.sub(replace, text)
    return {"Fn::Sub": made} if "${" in made else made
