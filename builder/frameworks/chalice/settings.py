"""Treatment of each setting of ``.chalice/config.json``; docs/reference/settings-chalice.md has the details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from auto_lambda.errors import AppError, Code
from builder.frameworks.domains import read_domain
from builder.lint.limits import why_reserved, why_too_large
from builder.lint.lint import SettingNames
from builder.lint.schemas import why_no_variable
from builder.protocol.messages import DomainMessage
from builder.source import documents
from builder.source.options import why_refused
from builder.source.problems import Problems
from builder.source.settings import CHALICE_CONFIG

Treatment = Literal["carried", "replaced", "warned"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Treatment of one setting.

    ``carried`` as chalice does; ``replaced`` by something of ours that serves the same end; ``warned`` about and
    dropped. ``why`` is what the uploader reads.
    """

    treatment: Treatment
    why: str = ""


CARRIED = Setting("carried")
SETTINGS: Mapping[str, Setting] = {
    "api_gateway_custom_domain": Setting("replaced", "the app's stack has the domain, if it may have it"),
    "api_gateway_endpoint_type": CARRIED,
    "api_gateway_endpoint_vpce": CARRIED,
    "api_gateway_policy_file": CARRIED,
    "api_gateway_stage": CARRIED,
    "app_name": CARRIED,
    "autogen_policy": CARRIED,
    "automatic_layer": Setting("replaced", "dependencies always go into a layer"),
    "environment_variables": CARRIED,
    "iam_policy_file": CARRIED,
    "iam_role_arn": Setting("warned", "functions only use roles that their own deployment creates"),
    "lambda_architecture": CARRIED,
    "lambda_functions": CARRIED,
    "lambda_memory_size": CARRIED,
    "lambda_timeout": CARRIED,
    "layers": CARRIED,
    "log_retention_in_days": CARRIED,
    "manage_iam_role": Setting(
        "warned",
        "each function gets a role of its own within the pipeline's boundary: say in iam_policy_file what it may do",
    ),
    "minimum_compression_size": CARRIED,
    "profile": Setting("warned", "the pipeline deploys with its own credentials"),
    "reserved_concurrency": CARRIED,
    "security_group_ids": CARRIED,
    "stages": CARRIED,
    "subnet_ids": CARRIED,
    "tags": CARRIED,
    "version": CARRIED,
    "websocket_api_custom_domain": Setting("replaced", "the app's stack has the domain, if it may have it"),
    "xray": CARRIED,
}
SETTING_NAMES: SettingNames = {
    ("Lambda::Function", "MemorySize"): "lambda_memory_size",
    ("Lambda::Function", "Timeout"): "lambda_timeout",
    ("Lambda::Function", "Environment"): "environment_variables",
    ("Lambda::Function", "VpcConfig"): "subnet_ids, security_group_ids",
    ("Lambda::Function", "Layers"): "layers",
    ("Lambda::Function", "ReservedConcurrentExecutions"): "reserved_concurrency",
    ("Lambda::Function", "Tags"): "tags",
    ("Lambda::EventSourceMapping", "EventSourceArn"): "autogen_policy, iam_policy_file",
    ("Lambda::EventSourceMapping", "BatchSize"): "batch_size",
    ("Lambda::EventSourceMapping", "MaximumBatchingWindowInSeconds"): "maximum_batching_window_in_seconds",
    ("ApiGateway::Stage", "StageName"): "api_gateway_stage",
    ("ApiGateway::RestApi", "MinimumCompressionSize"): "minimum_compression_size",
    ("Events::Rule", "ScheduleExpression"): "@app.schedule",
    ("Logs::LogGroup", "RetentionInDays"): "log_retention_in_days",
}
"""Where the author of an app writes a property."""

DOMAINS = {"api_gateway_custom_domain": False, "websocket_api_custom_domain": True}
"""The settings of domains, with whether they are for the WebSocket API."""

DROPPED = (*(name for name, one in SETTINGS.items() if one.treatment == "warned"), *DOMAINS)
"""What chalice itself is not shown."""

_LIMIT_HINTS = {
    "environment_variables": "Move large values into the parameter store, a secret or a file.",
    "tags": "Remove it, or give it another name.",
}
_UNKNOWN_SETTING = Setting("warned", "chalice has no such setting")


def check_settings(config: Mapping[str, Any], stage: str) -> tuple[str, ...]:
    """Warn of each setting that is dropped, among those that the stage would use.

    Args:
        config: the whole of ``.chalice/config.json``.
        stage: the stage of it that is compiled.

    Raises:
        AppError: ``unsupported-setting``, ``bad-config``.
    """
    problems = Problems()
    problems.attempt(_check_version, config.get("version"))
    problems.note(_variable_problems(config, stage))
    problems.raise_all()
    warnings = []
    for where, settings in settings_levels(config, stage):
        for name, value in settings.items():
            setting = SETTINGS.get(name, _UNKNOWN_SETTING)
            if value is None or (name == "manage_iam_role" and value):
                continue
            if setting.treatment == "warned":
                warnings.append(f"{where}{name} in {CHALICE_CONFIG} is ignored: {setting.why}")
    return tuple(warnings)


def domains(config: Mapping[str, Any], stage: str) -> tuple[tuple[DomainMessage, ...], tuple[str, ...]]:
    """Return the custom domains of a stage, and warnings about those that no API could have."""
    found, warnings = [], []
    for name, sockets in DOMAINS.items():
        own = _mapping(_mapping(config, "stages"), stage).get(name)
        given = config.get(name) if own is None else own
        if given is None:
            continue
        told = given if isinstance(given, dict) else {}
        domain, warning = read_domain(
            name, told.get("domain_name"), told.get("certificate_arn"), told.get("url_prefix"), sockets=sockets
        )
        found += [domain] if domain else []
        warnings += [warning] if warning else []
    return tuple(found), tuple(warnings)


def settings_problems(
    config: Mapping[str, Any], stage: str | None, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[AppError]:
    """Yield an error for each setting that is wrong; without a stage, for those of none.

    Args:
        config: the whole of ``.chalice/config.json``.
        stage: the stage of it that is compiled.
        environment: variables that every function has besides.
    """
    problems = Problems()
    problems.attempt(_check_version, config.get("version"))
    if problems.attempt(lambda: list(settings_levels(config, stage or ""))):
        problems.note(_variable_problems(config, stage or ""))
        problems.note(_limit_problems(config, stage or "", environment))
    yield from problems.found


def _limit_problems(config: Mapping[str, Any], stage: str, environment: Mapping[str, str]) -> Iterator[AppError]:
    shared: dict[str, Any] = {}
    for where, settings in settings_levels(config, stage):
        own = _mapping(settings, "environment_variables")
        if "lambda_functions." not in where:
            shared |= own
        tags = settings.get("tags")
        reasons = [("tags", one) for one in why_reserved(tags if isinstance(tags, dict) else ())]
        if own and (reason := why_too_large({**shared, **own, **environment})):
            reasons.append(("environment_variables", reason))
        for name, reason in reasons:
            yield documents.bad_config(CHALICE_CONFIG, f"{where}{name}: {reason}", hint=_LIMIT_HINTS[name])


def variables(config: Mapping[str, Any], stage: str) -> set[str]:
    """Return the names of the environment variables that any function of a stage has."""
    levels = settings_levels(config, stage)
    return {name for _, settings in levels for name in _mapping(settings, "environment_variables")}


def _variable_problems(config: Mapping[str, Any], stage: str) -> Iterator[AppError]:
    """Yield an error for each variable that could not be set while the app is imported, or on a function."""
    for where, settings in settings_levels(config, stage):
        for name, value in _mapping(settings, "environment_variables").items():
            if why := why_refused(name) or _why_not_set(name, value) or why_no_variable(name):
                yield documents.bad_config(
                    CHALICE_CONFIG,
                    f"{where}environment_variables: {why}",
                    hint="Leave the variable out, or give it another name or value.",
                )


def _check_version(version: Any) -> None:
    if version not in (None, "1.0", "2.0"):
        raise AppError(
            Code.UNSUPPORTED_SETTING,
            f"version in {CHALICE_CONFIG} is {version!r}: chalice 1.34 knows formats 1.0 and 2.0",
            hint='Write "version": "2.0".',
        )


def _why_not_set(name: str, value: Any) -> str | None:
    shown = documents.short_repr(name)
    if not isinstance(value, str):
        return f"{shown} is not a text (put quotes around it)"
    if "\0" in f"{name}{value}" or not name or "=" in name:
        return f"{shown} cannot be the name of a variable, or its value cannot be one's"
    try:
        f"{name}{value}".encode()
    except UnicodeEncodeError:
        return f"{shown} contains text that is not valid Unicode"
    return None


def settings_levels(config: Mapping[str, Any], stage: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the places where chalice looks for settings of a stage, each with its name and a trailing dot.

    Raises:
        AppError: ``bad-config``: one of them is no mapping.
    """
    yield "", config
    yield from _function_levels("", config)
    chosen = _mapping(_mapping(config, "stages"), stage)
    yield f"stages.{stage}.", chosen
    yield from _function_levels(f"stages.{stage}.", chosen)


def _function_levels(where: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    functions = _mapping(settings, "lambda_functions")
    for name in functions:
        yield f"{where}lambda_functions.{name}.", _mapping(functions, name)


def _mapping(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = settings.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise documents.bad_config(CHALICE_CONFIG, f"{name} is not a mapping", hint=f'Write "{name}": {{...}}.')
    return value
