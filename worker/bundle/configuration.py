"""Let functions load the app's configuration when they start, and publish a version for each change of it.

The values stay in Parameter Store: a template has only the revision, which is made of names, versions and times.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources as packaged
from pathlib import Path
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place, configuration_path
from worker.bundle.on_lambda.auto_lambda_configuration import HANDLER, PATH
from worker.bundle.pointers import RELEASE_VARIABLE
from worker.bundle.publish import Resource
from worker.bundle.release import SECTION
from worker.model import Artifact

REVISION = "AUTO_LAMBDA_CONFIGURATION_REVISION"
LAYER = "AutoLambdaConfigurationLayer"
POLICY = "auto-lambda-configuration"
_MODULE = "auto_lambda_configuration"
_NOTED = "Configuration"  # in the template's own section
_VARIABLES = (PATH, HANDLER, REVISION)

Revision = Callable[[App], str | None]
"""Tells the revision of an app's configuration; None if it has none."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a template needs to have its functions load a configuration.

    ``revision`` changes with each parameter; ``bucket`` has the layer with the loader.
    """

    revision: str
    bucket: str
    place: Place


def configured(template: Template, app: App, wanted: Configuration | None) -> Template:
    """Return a published template whose functions load the configuration, or no longer do; the input is not changed.

    Args:
        template: a published one, with another configuration, perhaps.
        app: whose.
        wanted: None if the app has no configuration.
    """
    noted = template["Metadata"][SECTION].get(_NOTED)
    if (noted or {}).get("Revision") == (wanted.revision if wanted else None):
        return template
    made = copy.deepcopy(template)
    if noted:
        made = _without(made, noted["Functions"])
    return _with(made, app, wanted) if wanted else made


def loader(work: Path) -> Artifact:
    """Make the zip of the layer with the loader, always the same."""
    data = _zipped()
    path = work / "configuration-layer.zip"
    path.write_bytes(data)
    return Artifact(path, _key(data))


def revision_of(described: Mapping[str, str]) -> str | None:
    """Return the revision of parameters, by what describes each one's value; None without any."""
    if not described:
        return None
    return hashlib.sha256(json.dumps(sorted(described.items())).encode()).hexdigest()[:12]


def _with(template: Template, app: App, wanted: Configuration) -> Template:
    resources: dict[str, Resource] = template["Resources"]
    functions = {}
    for name in sorted(it for it, one in resources.items() if one["Type"] == "AWS::Lambda::Function"):
        properties = resources[name]["Properties"]
        variables = properties["Environment"]["Variables"]
        functions[name] = {"Handler": properties["Handler"], "Stamp": variables[RELEASE_VARIABLE]}
        told = {PATH: configuration_path(app), HANDLER: properties["Handler"], REVISION: wanted.revision}
        properties["Environment"]["Variables"] = {**variables, **told}
        properties["Handler"] = f"{_MODULE}.handler"
        properties["Layers"] = [*properties.get("Layers", []), {"Ref": LAYER}]
        _allow(properties.get("Role"), resources, app, wanted.place)
    resources[LAYER] = {
        "Type": "AWS::Lambda::LayerVersion",
        "Properties": {"LayerName": app.stack, "Content": {"S3Bucket": wanted.bucket, "S3Key": _key(_zipped())}},
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
    }
    template["Metadata"][SECTION][_NOTED] = {"Revision": wanted.revision, "Functions": functions}
    salt = f"{wanted.revision} {resources[LAYER]['Properties']['Content']['S3Key']}"
    return _stamped(template, {name: _salted(one["Stamp"], salt) for name, one in functions.items()})


def _without(template: Template, functions: Mapping[str, Mapping[str, str]]) -> Template:
    resources: dict[str, Resource] = template["Resources"]
    for name, before in functions.items():
        properties = resources[name]["Properties"]
        variables = properties["Environment"]["Variables"]
        properties["Environment"]["Variables"] = {it: one for it, one in variables.items() if it not in _VARIABLES}
        properties["Handler"] = before["Handler"]
        properties["Layers"] = [one for one in properties["Layers"] if one != {"Ref": LAYER}]
        if not properties["Layers"]:
            del properties["Layers"]
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Role" and "Policies" in resource["Properties"]:
            kept = [one for one in resource["Properties"]["Policies"] if one["PolicyName"] != POLICY]
            resource["Properties"]["Policies"] = kept
            if not kept:
                del resource["Properties"]["Policies"]
    del resources[LAYER]
    del template["Metadata"][SECTION][_NOTED]
    # Noted by an earlier layout: the logical id of the version, which ends with the stamp.
    return _stamped(
        template, {name: before.get("Stamp") or before["Version"][-12:] for name, before in functions.items()}
    )


def _allow(role: Any, resources: Mapping[str, Resource], app: App, place: Place) -> None:
    """Let a role of the template read the configuration; one that the app was granted is somebody else's to change."""
    match role:
        case {"Fn::GetAtt": [str(name), "Arn"]} | {"Fn::Sub": str(name)}:
            name = re.sub(r"^\$\{(.*)\.Arn\}$", r"\1", name)
        case _:
            return
    if resources.get(name, {}).get("Type") != "AWS::IAM::Role":
        return
    policies = resources[name]["Properties"].setdefault("Policies", [])
    arn = place.arn("ssm", f"parameter{configuration_path(app)}")
    statement = {"Effect": "Allow", "Action": ["ssm:GetParametersByPath"], "Resource": [arn]}
    policy = {"PolicyName": POLICY, "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    if policy not in policies:
        policies.append(policy)


def _salted(stamp: str, salt: str) -> str:
    """Return the stamp of a function with a configuration, in the form that all stamps have."""
    return hashlib.sha256(f"{stamp} {salt}".encode()).hexdigest()[:12]


def _stamped(template: Template, stamps: Mapping[str, str]) -> Template:
    """Give functions other stamps, so that other versions are published of them; changes the input."""
    for name, stamp in stamps.items():
        template["Resources"][name]["Properties"]["Environment"]["Variables"][RELEASE_VARIABLE] = stamp
    return template


def _zipped() -> bytes:
    source = packaged.files("worker.bundle.on_lambda").joinpath(f"{_MODULE}.py").read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        member = zipfile.ZipInfo(f"python/{_MODULE}.py")
        member.external_attr = 0o100644 << 16
        archive.writestr(member, source)
    return buffer.getvalue()


def _key(data: bytes) -> str:
    return f"layers/{hashlib.sha256(data).hexdigest()}.zip"
