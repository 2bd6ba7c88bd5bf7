"""Add to a draft what ``[functions.NAME]`` says and its framework cannot say, alike for all frameworks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from auto_lambda.errors import AppError
from builder.frameworks.plain import arn, policy
from builder.function_options import FunctionOptions
from builder.lint.lint import SettingNames
from builder.lint.rights import referred
from builder.model import Draft
from builder.source import documents
from builder.source.options import FILE

Resource = dict[str, Any]

SETTING_NAMES: SettingNames = {
    ("Lambda::Function", "EphemeralStorage"): "functions.NAME.disk",
    ("Lambda::Function", "DeadLetterConfig"): "functions.NAME.dead_letter_queue",
    ("Lambda::Function", "SnapStart"): "functions.NAME.snap_start",
    ("Lambda::EventSourceMapping", "FunctionResponseTypes"): "functions.NAME.partial_batches",
    ("Lambda::EventInvokeConfig", "MaximumRetryAttempts"): "functions.NAME.retries",
    ("Lambda::EventInvokeConfig", "MaximumEventAgeInSeconds"): "functions.NAME.max_age",
}
"""Where the author of an app writes a property; a framework's own names come first."""

_SNAP_START_SINCE = (3, 12)
_WITH_BATCHES = "AWS::Lambda::EventSourceMapping"
_API_HANDLERS = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api")


def with_functions(draft: Draft, functions: Mapping[str, FunctionOptions], python: str) -> Draft:
    """Return a draft with these settings.

    Args:
        draft: as its framework compiled it; not changed.
        functions: by name.
        python: the minor that the app runs on.

    Raises:
        AppError: ``bad-config`` for a function that the app does not have, or a setting that it can't have.
    """
    if unknown := sorted(set(functions) - set(draft.functions)):
        raise documents.bad_config(
            FILE,
            f"[functions] names {documents.join_names(unknown)}, which the app does not have",
            hint=f"Its functions are: {documents.join_names(draft.functions)}.",
        )
    template = copy.deepcopy(draft.template)
    for name, options in functions.items():
        _Function(template["Resources"], name, draft.functions[name], options).complete(python)
    made = dataclasses.replace(draft, template=template)
    with_url = [draft.functions[name] for name, options in functions.items() if options.url]
    if draft.url is not None or not with_url:
        return made
    first = draft.main if draft.main in with_url else with_url[0]
    # What a function takes at a URL of its own, only its author knows.
    return dataclasses.replace(made, url={"Fn::GetAtt": [f"{first}Url", "FunctionUrl"]}, known_front=False)


class _Function:
    """One function of a template, which is changed in place."""

    def __init__(self, resources: dict[str, Resource], name: str, key: str, options: FunctionOptions) -> None:
        self._resources = resources
        self._name = name
        self._key = key
        self._options = options
        self._properties = resources[key]["Properties"]

    def complete(self, python: str) -> None:
        options = self._options
        if options.disk:
            self._properties["EphemeralStorage"] = {"Size": options.disk}
        if options.snap_start:
            self._snap_start(python)
        if options.provisioned:
            wishes = self._resources[self._key].setdefault("Metadata", {}).setdefault("AutoLambda", {})
            wishes["ProvisionedConcurrency"] = options.provisioned
        if options.dead_letter_queue:
            self._dead_letters(options.dead_letter_queue)
        if options.partial_batches:
            self._partial_batches()
        if options.retries is not None or options.max_age is not None:
            self._asynchronous_calls()
        if options.url:
            self._url(public=options.url == "public")

    def _snap_start(self, python: str) -> None:
        if tuple(map(int, python.split("."))) < _SNAP_START_SINCE:
            raise self._refused("snap_start", f"Lambda has it since Python 3.12, and the app runs on {python}",
                                'Set python = "3.12" or newer, or leave it out.')  # fmt: skip
        self._properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}

    def _dead_letters(self, target: str) -> None:
        topic = target.startswith("arn:") and target.split(":")[2] == "sns"
        named = arn("sqs", target)
        self._properties["DeadLetterConfig"] = {"TargetArn": named}
        action = "sns:Publish" if topic else "sqs:SendMessage"
        role = self._resources[referred(self._properties.get("Role"))]["Properties"]
        statement = {"Effect": "Allow", "Action": [action], "Resource": [named]}
        role["Policies"] = [*role.get("Policies", []), policy(f"dead-letters-{self._key}", [statement])]

    def _partial_batches(self) -> None:
        sources = [
            one["Properties"]
            for one in self._resources.values()
            if one["Type"] == _WITH_BATCHES and referred(one["Properties"].get("FunctionName")) == self._key
        ]
        if not sources:
            raise self._refused("partial_batches", "no queue and no stream calls it", "Leave it out.")
        for source in sources:
            source["FunctionResponseTypes"] = ["ReportBatchItemFailures"]

    def _asynchronous_calls(self) -> None:
        limits = {
            "MaximumRetryAttempts": self._options.retries, "MaximumEventAgeInSeconds": self._options.max_age,
        }  # fmt: skip
        given = {name: value for name, value in limits.items() if value is not None}
        properties = {"FunctionName": {"Ref": self._key}, "Qualifier": "live", **given}
        self._add("Calls", "AWS::Lambda::EventInvokeConfig", properties)

    def _url(self, *, public: bool) -> None:
        if any(one["Type"] in _API_HANDLERS and _mentions(one, self._key) for one in self._resources.values()):
            raise self._refused("url", "it answers an API, whose requests have another form", "Leave it out.")
        auth = "NONE" if public else "AWS_IAM"
        self._add("Url", "AWS::Lambda::Url", {"AuthType": auth, "TargetFunctionArn": {"Ref": self._key}})
        if public:
            function = {"FunctionName": {"Ref": self._key}, "Principal": "*"}
            call = {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}
            self._add("UrlPermission", "AWS::Lambda::Permission", {**function, **call})
            # Since October 2025 a URL needs both; this one allows calls by URL only.
            invoke = {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}
            self._add("UrlInvokePermission", "AWS::Lambda::Permission", {**function, **invoke})

    def _add(self, suffix: str, kind: str, properties: Resource) -> None:
        key = f"{self._key}{suffix}"
        if key in self._resources:
            raise documents.bad_config(
                FILE, f"functions.{self._name} needs a resource {key}, and so does another function",
                hint="Rename one of the functions.",
            )  # fmt: skip
        self._resources[key] = {"Type": kind, "Properties": properties}

    def _refused(self, setting: str, why: str, hint: str) -> AppError:
        return documents.bad_config(FILE, f"functions.{self._name}.{setting}: {why}", hint=hint)


def _mentions(value: Any, key: str) -> bool:
    if isinstance(value, str):
        return f"${{{key}." in value or value == key
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_mentions(child, key) for child in children)
