"""Expand chalice's SAM template to CloudFormation. Runs in the sandbox, with the compiler environment's Python.

``sam_expand.py REQUEST RESULT``, two JSON files. No code of an app runs here, so what comes out depends on the request
alone. Request: ``sam`` (the template), ``tracing`` (whether the API is traced), ``region``.

Result: ``template``, ``main`` and ``url``; or ``error``, a message.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


class Unused(ModuleType):
    """Takes the place of a library by which the translator would call AWS, were it told to: a third of its import."""

    def __getattr__(self, name: str) -> Any:
        """Return something that can be named in an annotation."""
        if name.startswith("__"):
            raise AttributeError(name)
        return object


for library in ("boto3", "boto3.session", "botocore", "botocore.client", "botocore.config"):
    sys.modules[library] = Unused(library)
sys.modules["botocore.exceptions"] = ModuleType("botocore.exceptions")
for exception in ("ClientError", "EndpointConnectionError"):
    setattr(sys.modules["botocore.exceptions"], exception, type(exception, (Exception,), {}))

from samtranslator.parser.parser import Parser  # noqa: E402 - with what stands above
from samtranslator.translator.translator import Translator  # noqa: E402

REGION_LATER = {"AWS::Region": "${AWS::Region}", "AWS::Partition": "${AWS::Partition}"}
"""Keeps the SAM translator from writing this machine's region into the template."""


def expand(sam: dict[str, Any], region: str, *, tracing: bool) -> dict[str, Any]:
    """Expand; remove what is set on publishing, unstable or a leftover; add what chalice leaves out."""
    translator = Translator({}, Parser(), boto_session=SimpleNamespace(region_name=region))
    template: dict[str, Any] = translator.translate(sam, parameter_values=dict(REGION_LATER))
    template.pop("Transform", None)
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        if resource["Type"] == "AWS::Lambda::Function":
            bare_function(resource["Properties"])
        elif resource["Type"] == "AWS::ApiGateway::RestApi":
            say_binary_types(resource["Properties"])
        elif resource["Type"] == "AWS::ApiGateway::Deployment":
            rename_deployment(resources, name)
        elif resource["Type"] == "AWS::ApiGatewayV2::Integration":
            plain_integration(resource["Properties"])
        elif resource["Type"] == "AWS::Logs::LogGroup":
            name_log_group(resource["Properties"])
        elif resource["Type"] == "AWS::ApiGateway::Stage" and tracing:
            resource["Properties"]["TracingEnabled"] = True
    if "WebsocketAPIStage" in resources:
        deploy_websockets(resources)
    return template


def bare_function(properties: dict[str, Any]) -> None:
    """Keep only what the app says about the function."""
    for name in ("Code", "Runtime", "Architectures"):
        properties.pop(name, None)
    properties["Tags"] = [tag for tag in properties.get("Tags", []) if tag["Key"] != "lambda:createdBy"]


def say_binary_types(properties: dict[str, Any]) -> None:
    """Set them as a property too, as SAM does for its own APIs: not every reader looks into the body.

    Each once, or API Gateway refuses them: chalice repeats its defaults for an app that names them as well.
    """
    body = properties["Body"]
    if types := body.get("x-amazon-apigateway-binary-media-types"):
        body["x-amazon-apigateway-binary-media-types"] = properties["BinaryMediaTypes"] = list(dict.fromkeys(types))


def rename_deployment(resources: dict[str, Any], old: str) -> None:
    """Name the deployment after all of the API, so that every change of it is deployed.

    SAM's own hash covers the paths only, and its StageName would make an additional stage called `Stage`.
    """
    deployment = resources.pop(old)
    deployment["Properties"].pop("StageName", None)
    api = deployment["Properties"]["RestApiId"]["Ref"]
    everything = json.dumps(resources[api]["Properties"], sort_keys=True).encode()
    new = f"{api}Deployment{hashlib.sha256(everything).hexdigest()[:10]}"
    deployment["Properties"].pop("Description", None)
    resources[new] = deployment
    for resource in resources.values():
        if resource["Type"] == "AWS::ApiGateway::Stage" and resource["Properties"].get("DeploymentId") == {"Ref": old}:
            resource["Properties"]["DeploymentId"] = {"Ref": new}


def plain_integration(properties: dict[str, Any]) -> None:
    """Refer to a websocket handler as a REST integration refers to its function."""
    handler = properties["IntegrationUri"]["Fn::Sub"][1]["WebsocketHandler"]["Ref"]
    prefix = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions"
    properties["IntegrationUri"] = {"Fn::Sub": f"{prefix}/${{{handler}.Arn}}/invocations"}


def deploy_websockets(resources: dict[str, Any]) -> None:
    """Let the stage deploy automatically: chalice's deployment has a constant id, so changes would never go live."""
    routes = resources.pop("WebsocketAPIDeployment").get("DependsOn", [])
    stage = resources["WebsocketAPIStage"]
    stage["Properties"].pop("DeploymentId")
    stage["Properties"]["AutoDeploy"] = True
    stage["DependsOn"] = routes


def name_log_group(properties: dict[str, Any]) -> None:
    """Name the API handler's log group after its function, which chalice spells differently."""
    if properties["LogGroupName"] == {"Fn::Sub": "/aws/lambda/${ApiHandler}"}:
        properties["LogGroupName"] = {"Fn::Sub": "/aws/lambda/${APIHandler}"}


def main_function(resources: dict[str, Any]) -> str:
    """Choose the main function: the one for requests, else for websocket messages, else the first."""
    functions = [name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"]
    return next((name for name in ("APIHandler", "WebsocketMessage") if name in functions), functions[0])


def url(outputs: dict[str, Any]) -> Any:
    """Return the address of the REST API, else of the websocket API, else None."""
    for name in ("EndpointURL", "WebsocketConnectEndpointURL"):
        if name in outputs:
            return outputs[name]["Value"]
    return None


def describe(error: Exception) -> str:
    """Describe an error: the translator's own messages are whole sentences, others need the type's name."""
    own = type(error).__module__.startswith("samtranslator.") or type(error) in (ValueError, RuntimeError)
    told = str(error) if own else f"{type(error).__name__}: {error}"
    return told.replace(sys.prefix, "").replace(sys.base_prefix, "")


def answer(request: str) -> str:
    """Answer a request, as JSON."""
    try:
        asked = json.loads(request)
        template = expand(asked["sam"], asked["region"], tracing=asked["tracing"])
        named = main_function(template["Resources"])
        return json.dumps({"template": template, "main": named, "url": url(template.get("Outputs", {}))})
    except Exception as error:
        return json.dumps({"error": describe(error)})


def main() -> None:
    """Read the request and write the result."""
    result = Path(sys.argv[2])
    # Remains if the template makes this process crash; until here, nothing of it was read.
    result.write_text(json.dumps({"error": "the translator fell over it"}))
    result.write_text(answer(Path(sys.argv[1]).read_text()))


if __name__ == "__main__":
    main()
