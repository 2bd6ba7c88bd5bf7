"""Put together the parts of a flex stack: from the app's release, and from what its own stack has become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda.model import Template
from builder.protocol.flex import FlexMessage
from entrypoint.task import VARIABLE, Artefact, BadTask, TaskDescription, describe
from worker.bundle.domains import FRONT_OUTPUT, front
from worker.bundle.flex.parts import EntrypointFile, FlexParts, drain_seconds
from worker.bundle.flex.resolve import CannotResolve, StackValues, resolved
from worker.bundle.pointers import release_of
from worker.bundle.publish import alias_output
from worker.bundle.references import referenced
from worker.deploy.flex.capacity import task_processes
from worker.deploy.flex.fitness import cannot_flex, domain_of
from worker.deploy.flex.front import api_front
from worker.model import Bundle, DeployTarget

_DIGEST = re.compile(r"[a-z]+/([0-9a-f]{64})\.zip")
_DEFAULT_MEMORY, _DEFAULT_TIMEOUT = 128, 3  # Lambda's


@dataclass(frozen=True, slots=True)
class OwnStack:
    """What an app's own stack has become: its outputs, and its resources' physical ids by logical id."""

    outputs: Mapping[str, str]
    ids: Mapping[str, str]


def flex_parts(bundle: Bundle, own: OwnStack, target: DeployTarget, entrypoint: EntrypointFile) -> FlexParts:
    """Return the parts of the stack of a bundle that flexes, and is fit for it.

    Args:
        bundle: the release.
        own: the app's own stack, with the function and the name that the release has as well.
        target: where apps are deployed to, with the app's boundary.
        entrypoint: the program of its tasks.

    Raises:
        AppError: ``cannot-flex``.
    """
    flex, domain = bundle.flex, target.domain
    assert flex is not None  # noqa: S101 - it is fit
    assert domain is not None  # noqa: S101
    function = bundle.template["Resources"][bundle.main]["Properties"]
    kinds = {name: one["Type"] for name, one in bundle.template["Resources"].items()}
    values = StackValues(kinds, own.ids, target.place)
    code, layers = function["Code"]["S3Key"], _layers(bundle.template, function)
    try:
        policies, managed = _rights(bundle.template, function, values)
        environment = resolved(function["Environment"]["Variables"], values)
    except CannotResolve as error:
        raise cannot_flex(
            f"{bundle.main}: its variables or policies refer to {error}, which the stack of its tasks cannot",
            hint="Refer to it by its name or ARN; or bring the app back to Lambda (`auto-lambda flex down`), drop this "
            "zip, and let it move again.",
        ) from error
    environment[VARIABLE] = describe_task(bundle, flex, own, target.artifacts_bucket)
    return FlexParts(
        app=bundle.app,
        settings=flex,
        place=target.place,
        domain=domain_of(bundle),
        certificate_arn=_certificate(bundle.template),
        zone_id=domain.zone_id,
        front=own.outputs[FRONT_OUTPUT],
        function=own.outputs["AutoLambdaFunction"],
        alias_arn=own.outputs[alias_output(bundle.main)],
        function_memory=function.get("MemorySize", _DEFAULT_MEMORY),
        rest=_is_rest(bundle.template),
        architecture=bundle.architecture,
        python=bundle.python,
        boundary_arn=target.boundary_arn,
        bucket=target.artifacts_bucket,
        keys=(code, entrypoint.key, *layers),
        environment=environment,
        entrypoint=entrypoint,
        policies=policies,
        managed_policies=managed,
        target=target.flex,
    )


def describe_task(bundle: Bundle, flex: FlexMessage, own: OwnStack, bucket: str) -> str:
    """Return the description of a release's tasks, as their environment has it.

    Args:
        bundle: the release.
        flex: the size of a task.
        own: the app's own stack.
        bucket: of artifacts.

    Raises:
        AppError: ``cannot-flex``.
    """
    function = bundle.template["Resources"][bundle.main]["Properties"]
    memory = function.get("MemorySize", _DEFAULT_MEMORY)
    processes = task_processes(bundle, flex)
    kind, front = processes.kind, api_front(bundle.template, bundle.main)
    payload, release = _payload(bundle.template), release_of(bundle.template, bundle.main)
    assert release  # noqa: S101 - the gate lets nothing else pass
    try:
        return describe(
            TaskDescription(
                bucket=bucket,
                code=_artefact(function["Code"]["S3Key"]),
                layers=tuple(map(_artefact, _layers(bundle.template, function))),
                handler=function["Handler"],
                kind=kind,
                application=None,
                health_path=bundle.health_path,
                drain_seconds=drain_seconds(flex),
                function_name=own.outputs["AutoLambdaFunction"],
                # Its number is not known before the alias moves, and tasks come first.
                function_version=release.name,
                memory=memory,
                timeout=function.get("Timeout", _DEFAULT_TIMEOUT),
                processes=processes.number,
                payload=payload,
                front=front.described if kind == "lambda" and payload == "1.0" else None,
            )
        )
    except BadTask as error:
        raise cannot_flex(f"its tasks cannot be described: {error}") from error


def _artefact(key: str) -> Artefact:
    found = _DIGEST.fullmatch(key)
    assert found  # noqa: S101 - the gate lets nothing else pass
    return Artefact(key, found[1])


def _layers(template: Template, function: Mapping[str, Any]) -> tuple[str, ...]:
    keys = []
    for layer in function.get("Layers", []):
        name = next(referenced(layer), None)
        content = template["Resources"].get(name, {}).get("Properties", {}).get("Content")
        if content is None:
            raise cannot_flex(f"it has a layer that is not its own, {layer}, which tasks cannot fetch")
        keys.append(content["S3Key"])
    return tuple(keys)


def _rights(
    template: Template, function: Mapping[str, Any], values: StackValues
) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """Return the policies of the function's role, and the ARNs of managed ones."""
    name = next(referenced(function["Role"]), "")
    role = template["Resources"].get(name)
    if role is None:
        raise cannot_flex("its function has a role that is not its own, which tasks cannot have")
    policies = list(role["Properties"].get("Policies", []))
    for one in template["Resources"].values():
        if one["Type"] == "AWS::IAM::Policy" and name in referenced(one["Properties"].get("Roles")):
            described = one["Properties"]
            policies.append({key: described[key] for key in ("PolicyName", "PolicyDocument")})
    managed = role["Properties"].get("ManagedPolicyArns", [])
    return tuple(resolved(policies, values)), tuple(resolved(managed, values))


def _certificate(template: Template) -> str:
    properties = template["Resources"]["AutoLambdaDomain"]["Properties"]
    if "DomainNameConfigurations" in properties:
        return str(properties["DomainNameConfigurations"][0]["CertificateArn"])
    return str(properties["RegionalCertificateArn"])


def _is_rest(template: Template) -> bool:
    found = front(template)
    return found is not None and template["Resources"][found[0]]["Type"] == "AWS::ApiGateway::RestApi"


def _payload(template: Template) -> Any:
    """Return the version of the events that the app's API sends."""
    if _is_rest(template):
        return "1.0"
    versions = {
        one["Properties"].get("PayloadFormatVersion", "1.0")
        for one in template["Resources"].values()
        if one["Type"] == "AWS::ApiGatewayV2::Integration"
    }
    return "1.0" if "1.0" in versions else "2.0"
