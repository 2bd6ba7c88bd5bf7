"""Plain handlers: an app whose functions are named in ``auto-lambda.toml``, or its ``lambda_function.py``.

No framework packages it, so nothing of it runs here; the proof is the first to import it.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, BuildLog, FrameworkName, Template
from builder.diagnosis.old_code import python2_error
from builder.frameworks.base import Ahead, nobody
from builder.frameworks.files import copy_file, is_plain, plain_files
from builder.frameworks.one_folder import join_packages
from builder.function_options import FunctionOptions
from builder.lint.lint import SettingNames
from builder.model import Built, Draft, Options, Source
from builder.source import documents
from builder.source.functions import ONLY_FUNCTION, logical_id
from builder.source.modules import binds, module_of, reachable
from builder.source.options import FILE
from builder.source.problems import Problems

HANDLER = "lambda_function.lambda_handler"
MEMORY, TIMEOUT = 512, 30
_RESOURCE = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
_HISTORY = frozenset({".git", ".hg", ".svn"})
_READ_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
_WITHOUT_WINDOW = 10  # messages in a batch; more need a batching window
_PSEUDO = re.compile(r"\$\{AWS::(?:Partition|Region|AccountId)\}")
_OTHER_VARIABLE = re.compile(r"\$\{(?!AWS::(?:Partition|Region|AccountId)\})")  # one of IAM's own
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
Resource = dict[str, Any]
SETTING_NAMES: SettingNames = {
    ("Lambda::Function", "Handler"): "functions.NAME.handler",
    ("Lambda::Function", "MemorySize"): "functions.NAME.memory",
    ("Lambda::Function", "Timeout"): "functions.NAME.timeout",
    ("Lambda::Function", "Environment"): "[environment]",
    ("Lambda::EventSourceMapping", "EventSourceArn"): "functions.NAME.queue",
    ("Lambda::EventSourceMapping", "BatchSize"): "functions.NAME.batch_size",
    ("Events::Rule", "ScheduleExpression"): "functions.NAME.schedule",
    ("SNS::Subscription", "TopicArn"): "functions.NAME.topic",
    ("IAM::Role", "Policies"): "functions.NAME.policy",
}
"""Where the author of an app writes a property."""


class Plain:
    """Front end for apps without a framework."""

    name: FrameworkName = "plain"
    setting_names = SETTING_NAMES

    def requirements(self, built_from: Path) -> tuple[str, ...]:  # noqa: ARG002  (part of the protocol)
        """Require nothing: the runtime calls the handler itself."""
        return ()

    def problems(self, root: Path, stage: str | None, app: App, options: Options) -> Iterator[AppError]:  # noqa: ARG002
        """Yield what handlers, policy files and code show to be wrong; see `Framework.problems`."""
        functions = options.functions or {ONLY_FUNCTION: FunctionOptions()}
        problems = Problems()
        code: dict[Path, ast.Module | SyntaxError] = {}
        for name, one in functions.items():
            if one.policy:
                problems.attempt(_policy_file, root, name, one.policy)
            problems.note(_handler_problems(root, name, one.handler or HANDLER, code))
        yield from problems.found
        failed = [(path, one) for path, one in code.items() if isinstance(one, SyntaxError)]
        if error := python2_error(root, failed, "Port it to Python 3; Lambda runs no Python 2."):
            yield error

    def compile(self, built: Built, work: Path, log: BuildLog, ahead: Ahead = nobody) -> Draft:  # noqa: ARG002
        """Copy the app's files, and express its functions and what calls them as CloudFormation.

        Raises:
            AppError: a policy file is missing or is no policy.
        """
        source = built.source
        functions = source.options.functions or {ONLY_FUNCTION: FunctionOptions()}
        code = work / "code"
        for path in plain_files(source.root):
            inside = path.relative_to(source.root)
            if path != source.root / FILE and inside.parts[0] not in _HISTORY:
                copy_file(path, code / inside)
        join_packages(code, built.site)
        main = next((name for name, one in functions.items() if one.url), next(iter(functions)))
        log(f"functions: {', '.join(functions)}")
        return Draft(
            template=_template(source, functions),
            code=code,
            main=logical_id(main),
            notifications=tuple(_notifications(functions)),
            functions={name: logical_id(name) for name in functions},
            known_front=False,
        )


def _handler_problems(
    root: Path, name: str, handler: str, code: dict[Path, ast.Module | SyntaxError]
) -> Iterator[AppError]:
    """Yield an error for a handler that its module lacks; add the code that is imported with it."""
    module, _, wanted = handler.rpartition(".")
    path = module_of(root, module.replace("/", "."))
    if path is None:
        return  # a dependency may have it
    code.update(reachable(root, path))
    tree = code.get(path)
    if isinstance(tree, ast.Module) and not binds(tree, wanted):
        yield AppError(
            Code.HANDLER_MISSING,
            f"functions.{name} calls {handler}, but {path.relative_to(root)} defines no {wanted!r}",
            hint=f"Correct handler in {FILE}, or define it there.",
        )


def _template(source: Source, functions: Mapping[str, FunctionOptions]) -> Template:
    resources: dict[str, Resource] = {}
    for name, one in functions.items():
        for key, resource in _function(source, name, one):
            if key in resources:
                raise documents.bad_config(
                    FILE, f"functions.{name} needs a resource {key}, and so does another function",
                    hint="Rename the function.",
                )  # fmt: skip
            resources[key] = resource
    return {"AWSTemplateFormatVersion": "2010-09-09", "Description": str(source.app), "Resources": resources}


def _function(source: Source, name: str, options: FunctionOptions) -> Iterator[tuple[str, Resource]]:
    key = logical_id(name)
    yield (
        key,
        {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": (options.handler or HANDLER).replace("/", "."),  # for Lambda, both are the same
                "MemorySize": options.memory or MEMORY,
                "Timeout": options.timeout or TIMEOUT,
                "Role": {"Fn::GetAtt": [f"{key}Role", "Arn"]},
                "Environment": {"Variables": {}},
            },
        },
    )
    yield f"{key}Role", _role(source, name, options)
    yield from _schedules(key, options)
    yield from _queues(key, options)
    yield from _topics(key, options)


def _role(source: Source, name: str, options: FunctionOptions) -> Resource:
    statements = [_logs(source.app, logical_id(name))]
    if options.queue:
        statements.append(_allow(_READ_QUEUE, *(arn("sqs", queue) for queue in options.queue)))
    policies = [policy("auto-lambda", statements)]
    if options.policy:
        document = _policy_file(source.root, name, options.policy)
        policies.append({"PolicyName": "own", "PolicyDocument": document})
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": _TRUST, "Policies": policies},
    }


def _logs(app: App, key: str) -> Mapping[str, Any]:
    group = _RESOURCE % ("logs", f"log-group:/aws/lambda/{app.function}/{key}")
    actions = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    return _allow(actions, {"Fn::Sub": group}, {"Fn::Sub": f"{group}:*"})


def _policy_file(root: Path, name: str, file: str) -> Any:
    path = root / file
    if not (path.resolve().is_relative_to(root.resolve()) and is_plain(path)):
        raise AppError(
            Code.MISSING_POLICY_FILE,
            f"functions.{name} takes a policy from {file}, which is not in the zip",
            hint=f"Add {file} to the app's folder, or remove `policy` in {FILE}.",
        )
    if path.suffix != ".json":
        raise documents.bad_config(FILE, f"functions.{name}.policy {file!r} is no JSON file", hint="Write it as JSON.")
    document = documents.read(path, file)
    statements = document.get("Statement")
    listed = [statements] if isinstance(statements, dict) else statements
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise documents.bad_config(file, "it is no IAM policy: it has no statements", hint="Add a Statement.")
    return {**document, "Statement": [_placed(one) for one in listed]}


def _placed(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a statement whose resources may name partition, region and account, as only the deployment knows them."""
    if "Resource" not in statement:
        return statement
    given = statement["Resource"]
    resources = [_substituted(one) for one in (given if isinstance(given, list) else [given])]
    return {**statement, "Resource": resources if isinstance(given, list) else resources[0]}


def _substituted(resource: Any) -> Any:
    if not isinstance(resource, str) or not _PSEUDO.search(resource):
        return resource
    return {"Fn::Sub": _OTHER_VARIABLE.sub("${!", resource)}


def _schedules(key: str, options: FunctionOptions) -> Iterator[tuple[str, Resource]]:
    for expression in dict.fromkeys(options.schedule):
        name = f"{key}Schedule{_digest(expression)}"
        target = {"Id": key, "Arn": {"Fn::GetAtt": [key, "Arn"]}}
        properties = {"ScheduleExpression": expression, "State": "ENABLED", "Targets": [target]}
        yield name, {"Type": "AWS::Events::Rule", "Properties": properties}
        yield f"{name}Permission", _permission(key, "events.amazonaws.com", {"Fn::GetAtt": [name, "Arn"]})


def _queues(key: str, options: FunctionOptions) -> Iterator[tuple[str, Resource]]:
    size = options.batch_size or _WITHOUT_WINDOW
    for queue in dict.fromkeys(options.queue):
        properties = {
            "FunctionName": {"Ref": key},
            "EventSourceArn": arn("sqs", queue),
            "BatchSize": size,
            "MaximumBatchingWindowInSeconds": 0 if size <= _WITHOUT_WINDOW else 1,
        }
        if queue.endswith(".fifo"):
            del properties["MaximumBatchingWindowInSeconds"]  # AWS refuses it there
        yield f"{key}Queue{_digest(queue)}", {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}


def _topics(key: str, options: FunctionOptions) -> Iterator[tuple[str, Resource]]:
    for topic in dict.fromkeys(options.topic):
        name = f"{key}Topic{_digest(topic)}"
        properties = {"TopicArn": arn("sns", topic), "Protocol": "lambda", "Endpoint": {"Fn::GetAtt": [key, "Arn"]}}
        if region := (topic.split(":") + [""] * 3)[3]:
            properties["Region"] = region
        yield name, {"Type": "AWS::SNS::Subscription", "Properties": properties}
        yield f"{name}Permission", _permission(key, "sns.amazonaws.com", arn("sns", topic))


def _notifications(functions: Mapping[str, FunctionOptions]) -> Iterator[BucketNotification]:
    for name, options in functions.items():
        for one in options.bucket:
            yield BucketNotification(one.name, logical_id(name), one.events, one.prefix, one.suffix)


def _permission(key: str, principal: str, source: Any) -> Resource:
    properties = {
        "Action": "lambda:InvokeFunction", "FunctionName": {"Ref": key}, "Principal": principal, "SourceArn": source,
    }  # fmt: skip
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}


def _allow(actions: tuple[str, ...], *resources: Any) -> Mapping[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def policy(name: str, statements: list[Mapping[str, Any]]) -> Resource:
    """Return an inline policy of a role."""
    return {"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}


def arn(service: str, name: str) -> Any:
    """Return the ARN of a queue or topic, which may be named by it or, in the app's own account, by its name."""
    return name if name.startswith("arn:") else {"Fn::Sub": _RESOURCE % (service, name)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
