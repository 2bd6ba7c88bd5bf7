"""The policies of ``infra/``, as CloudFormation makes them from given parameters."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Mapping
from typing import Any

from pipeline_template import read_template

from iam.evaluate import Document, Principal

ACCOUNT, REGION, PARTITION, STACK = "111122223333", "eu-west-1", "aws", "auto-lambda"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": PARTITION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
_ABSENT = object()
_REFERENCE = re.compile(r"\$\{(!?)([^}]+)\}")
_ARNS = {
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy/{name}",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
}
_NAMES = ("BucketName", "LogGroupName", "AutoScalingGroupName", "RoleName", "TopicName")
_BY_ARN = frozenset({"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic"})
"""Types whose ``Ref`` is an ARN."""


class PipelineStack:
    """The pipeline's stack with its intrinsic functions resolved.

    Args:
        parameters: that differ from the defaults.
        template: the template, the repository's by default.
        region: where the stack is.
    """

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        template: Mapping[str, Any] | None = None,
        region: str = REGION,
    ) -> None:
        given = parameters or {}
        self._pseudo = {**_PSEUDO, "AWS::Region": region}
        self.template = copy.deepcopy(dict(template or read_template()))
        defaults = {name: str(it["Default"]) for name, it in self.template["Parameters"].items()}
        assert given.keys() <= defaults.keys()
        self._parameters = {**defaults, **given}

    def document(self, name: str) -> Document:
        """Return the document of a managed policy, or of the policy of a bucket, queue or topic."""
        found: Document = self.resolve(self.template["Resources"][name]["Properties"]["PolicyDocument"])
        return found

    def role(self, name: str) -> Principal:
        """Return a role of the template with all its policies."""
        properties = self.template["Resources"][name]["Properties"]
        managed = [self.document(one["Ref"]) for one in properties.get("ManagedPolicyArns", [])]
        inline = [self.resolve(one["PolicyDocument"]) for one in properties.get("Policies", [])]
        return Principal(self.arn(name), (*managed, *inline))

    def arn(self, name: str) -> str:
        """Return the ARN of a resource."""
        kind = self.template["Resources"][name]["Type"]
        return _ARNS[kind].format(account=ACCOUNT, region=self._pseudo["AWS::Region"], name=self.name(name))

    def name(self, name: str) -> str:
        """Return the physical name of a resource."""
        properties = self.template["Resources"][name].get("Properties", {})
        given = next((properties[one] for one in _NAMES if one in properties), None)
        return str(self.resolve(given)) if given else f"{STACK}-{name}-1ABCDEFGHIJKL"

    def output(self, name: str) -> str:
        """Return the value of an output."""
        return str(self.resolve(self.template["Outputs"][name]["Value"]))

    def worker_environment(self) -> dict[str, str]:
        """Return what user data tells a worker."""
        return dict(re.findall(r"^(A\w+)=(.*)$", self.user_data("WorkerTemplate"), re.MULTILINE))

    def user_data(self, name: str) -> str:
        """Return the script that an instance of a launch template runs at its first boot."""
        data = self.template["Resources"][name]["Properties"]["LaunchTemplateData"]["UserData"]
        return base64.b64decode(self.resolve(data)).decode()

    def resolve(self, value: Any) -> Any:
        """Return a value with its functions evaluated."""
        match value:
            case {"Ref": "AWS::NoValue"}:
                return _ABSENT
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": text}:
                return self._sub(*(text if isinstance(text, list) else (text, {})))
            case {"Fn::If": [str(condition), yes, no]}:
                return self.resolve(yes if self._holds({"Condition": condition}) else no)
            case {"Fn::Base64": inner}:
                return base64.b64encode(self.resolve(inner).encode()).decode()
            case dict():
                resolved = {key: self.resolve(one) for key, one in value.items()}
                return {key: one for key, one in resolved.items() if one is not _ABSENT}
            case list():
                return [one for one in map(self.resolve, value) if one is not _ABSENT]
        return value

    def _ref(self, name: str) -> str:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        kind = self.template["Resources"][name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self._pseudo['AWS::Region']}.amazonaws.com/{ACCOUNT}/{self.name(name)}"
        return self.arn(name) if kind in _BY_ARN else self.name(name)

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute == "Arn" and self.template["Resources"][name]["Type"] in _ARNS:
            return self.arn(name)
        return f"{name}.{attribute}"

    def _sub(self, text: str, values: Mapping[str, Any]) -> str:
        def replace(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return str(self.resolve(values[name]))
            resource, _, attribute = name.partition(".")
            return self._attribute(resource, attribute) if attribute else self._ref(name)

        return _REFERENCE.sub(replace, text)

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str(name)}:
                return self._holds(self.template["Conditions"][name])
            case {"Fn::Equals": [one, other]}:
                return str(self.resolve(one)) == str(self.resolve(other))
            case {"Fn::Not": [one]}:
                return not self._holds(one)
            case {"Fn::And": list(parts)}:
                return all(map(self._holds, parts))
            case {"Fn::Or": list(parts)}:
                return any(map(self._holds, parts))
        raise ValueError(f"not a condition: {condition}")
