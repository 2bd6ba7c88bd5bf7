"""Compile a chalice app to a SAM template. Runs in the sandbox, with the compiler environment's Python.

``chalice_package.py REQUEST RESULT``, two JSON files.

Request: ``code`` (folder that becomes the code zip, what the app is imported from), ``root`` (the project, for its
``.chalice`` folder), ``site`` (dependencies, or null), ``stage``, ``app_name``, ``environment``, ``region``,
``dropped`` (names of settings that chalice is not shown).

Result: ``sam`` (the template), ``tracing`` (whether the API is traced, which chalice's template leaves out) and
``notifications``; or ``error`` with a ``kind``, a ``message`` and more by kind. Messages hold no path of this machine.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore
import chalice.app
from chalice_import import MOST_NAMED, CompileError, PathNames, import_app, watch_variables

sys.path.insert(0, str(Path(__file__).parents[2] / "inside"))
from imported_later import imported_later

del sys.path[0]

LATER = {
    "botocore.loaders": ("create_loader",),
    "botocore.session": ("Session",),
    "botocore.utils": ("datetime2timestamp",),
}
"""Libraries that chalice imports to call AWS, with what it takes from each at once."""

with imported_later(LATER):
    import chalice.package
    import chalice.policy
    from chalice.config import Config
    from chalice.deploy import deployer, models
    from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
    from chalice.deploy.swagger import CFNSwaggerGenerator
    from chalice.deploy.validate import validate_configuration, validate_feature_flags
    from chalice.utils import OSUtils, to_cfn_resource_name
    from chalice.vendored.botocore.regions import EndpointResolver

MOST_BYTES = 6 * 1024 * 1024
"""Of an answer. A stack may have a megabyte; whoever reads the answer takes eight."""
MOST_VAIN = 200
"""Of the variables that are asked for in vain, the last."""
MOST_LEVELS = 200
"""Of an answer. A template may have sixty; whoever reads the answer takes some hundreds."""

# ---------------------------------------------------------------- from app to SAM


class Templater(chalice.package.SAMTemplateGenerator):
    """chalice's own template generator, except that it reports bucket events instead of refusing them."""

    def __init__(self, config: Config, options: chalice.package.PackageOptions) -> None:
        super().__init__(config, options)
        self.notifications: list[dict[str, Any]] = []

    def _generate_s3bucketnotification(self, resource: models.S3BucketNotification, template: dict[str, Any]) -> None:
        del template
        function = to_cfn_resource_name(resource.lambda_function.resource_name)
        if not resource.bucket:
            raise ValueError(f"@app.on_s3_event of {resource.lambda_function.resource_name} names no bucket")
        self.notifications.append(
            {
                "bucket": resource.bucket,
                "function": function,
                "events": list(resource.events),
                "prefix": resource.prefix or "",
                "suffix": resource.suffix or "",
            }
        )


class NoPackager(deployer.BaseDeployStep):
    """Takes the place of chalice's pip run: code and dependencies are packaged elsewhere."""

    def handle_deploymentpackage(self, config: Config, resource: models.DeploymentPackage) -> None:
        """Set a placeholder location, which is replaced later."""
        del config
        resource.filename = "s3://code-goes-here/code-goes-here"


class SessionLater:
    """A session of botocore for chalice, which makes one for each app, and needs it only for those that call AWS."""

    def create_client(self, *given: Any, **named: Any) -> Any:
        """Make a client; chalice asks it how the service calls what the app calls."""
        return importlib.import_module("botocore.session").get_session().create_client(*given, **named)


chalice.policy.botocore.session.get_session = SessionLater


class LocalClient(chalice.package.TypedAWSClient):
    """chalice's own client, as far as it names endpoints and principals, without what makes calls.

    It knows its region: chalice makes a client of API Gateway to ask it for one, and that takes as long as compiling
    the rest.
    """

    def __init__(self, region: str) -> None:
        endpoints = Path(botocore.__file__).with_name("data") / "endpoints.json"
        self._endpoint_resolver = EndpointResolver(json.loads(endpoints.read_bytes()))
        self._region = region

    @property
    def region_name(self) -> str:
        """The region that was given."""
        return self._region


def load_config(request: Mapping[str, Any], app: chalice.app.Chalice | None) -> Config:
    """Load the configuration of one stage as chalice's own command line does."""
    file = Path(request["root"], ".chalice", "config.json")
    from_disk = without(json.loads(file.read_text()) if file.is_file() else {}, request["dropped"])
    defaults = {
        "project_dir": request["root"],
        "app_name": request["app_name"],
        "api_gateway_stage": "api",
        "api_gateway_endpoint_type": "REGIONAL",  # an account may make an EDGE one every 30 s
        "autogen_policy": True,
    }
    given = {"automatic_layer": False, "chalice_app": app}
    return Config(
        chalice_stage=request["stage"], user_provided_params=given, config_from_disk=from_disk, default_params=defaults
    )


def without(settings: Any, dropped: list[str]) -> Any:
    """Leave settings out: at the top, of stages and of their functions."""
    if not isinstance(settings, dict):
        return settings
    kept = {name: value for name, value in settings.items() if name not in dropped}
    for group in ("stages", "lambda_functions"):
        if isinstance(kept.get(group), dict):
            kept[group] = {name: without(one, dropped) for name, one in kept[group].items() if isinstance(one, dict)}
    return kept


def build_resources(config: Config, root: Path) -> list[models.Model]:
    """Let chalice plan the app and fill in every placeholder."""
    application = ApplicationGraphBuilder().build(config, config.chalice_stage)
    resources = DependencyBuilder().build_dependencies(application)
    check_resources(resources, root)
    osutils = OSUtils()
    deployer.BuildStage(
        [
            deployer.InjectDefaults(),
            NoPackager(),
            deployer.PolicyGenerator(chalice.policy.AppPolicyGenerator(osutils), osutils),
            deployer.SwaggerBuilder(CFNSwaggerGenerator()),
            deployer.LambdaEventSourcePolicyInjector(),
            deployer.WebsocketPolicyInjector(),
        ]
    ).execute(config, resources)
    return DependencyBuilder().build_dependencies(application)


def check_resources(resources: list[models.Model], root: Path) -> None:
    """Refuse what chalice itself would report late, or not at all.

    Raises:
        Refused: nothing to deploy, or a policy file that is not there.
    """
    if not any(isinstance(resource, models.LambdaFunction) for resource in resources):
        raise CompileError(
            "usage", "the app has no route, no event handler and no function: there is nothing to deploy"
        )
    for resource in resources:
        policy = resource.policy if isinstance(resource, models.RestAPI) else resource
        if isinstance(policy, models.FileBasedIAMPolicy):
            check_policy_file(Path(policy.filename), root)


def check_policy_file(file: Path, root: Path) -> None:
    """Check that a policy file is in the project and is a JSON object with statements."""
    name = os.path.relpath(file, root)
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        raise CompileError("policy-file", name)
    try:
        document = json.loads(file.read_text())
    except ValueError as error:
        raise CompileError("usage", f"{name} is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), (list, dict)):
        raise CompileError("usage", f"{name} is not an IAM policy: it has no Statement")


def steady_policies(resources: list[models.Model]) -> None:
    """Remove the random ids from generated policies, so that the same source gives the same template."""
    for resource in resources:
        if isinstance(resource, models.AutoGenIAMPolicy):
            for statement in resource.document["Statement"]:
                statement.pop("Sid", None)


# ---------------------------------------------------------------- the whole


def compile_app(request: Mapping[str, Any], names: PathNames) -> dict[str, Any]:
    """Import the app and compile it.

    Raises:
        Refused: whatever the uploader can fix.
    """
    os.environ.update(load_config(request, None).environment_variables)
    os.environ.update(request["environment"])
    os.environ["AWS_CHALICE_CLI_MODE"] = "true"
    app = import_app(request, names)
    try:
        return package(request, load_config(request, app))
    except CompileError:
        raise
    except Exception as error:
        raise CompileError("usage", names.shorten(describe(error))) from error


def describe(error: Exception) -> str:
    """Describe an error: chalice's own messages are whole sentences, others need the type's name."""
    own = type(error).__module__.startswith("chalice.")
    if own or type(error) in (ValueError, RuntimeError, NotImplementedError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def package(request: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Plan the resources and generate the template."""
    validate_feature_flags(config.chalice_app)
    validate_configuration(config)
    resources = build_resources(config, Path(request["root"]))
    steady_policies(resources)
    templater = Templater(config, chalice.package.PackageOptions(LocalClient(request["region"])))
    return {
        "sam": templater.generate(resources),
        "tracing": any(isinstance(resource, models.RestAPI) and bool(resource.xray) for resource in resources),
        "notifications": templater.notifications,
        "functions": {
            one.resource_name: logical_id(one) for one in resources if isinstance(one, models.LambdaFunction)
        },
    }


def logical_id(function: models.LambdaFunction) -> str:
    """Return a function's logical id in the template; the API's own has a name apart."""
    name = function.resource_name
    return "APIHandler" if name == "api_handler" else to_cfn_resource_name(name)


def bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer, or why it is too large or too deep to be read."""
    if deeper_than(answer, MOST_LEVELS):
        return {"error": {"kind": "too-deep", "message": ""}}
    size = len(json.dumps(answer))
    if size <= MOST_BYTES:
        return answer
    message = f"{len(answer.get('sam', {}).get('Resources', ())):,} resources in {size:,} bytes"
    return {"error": {"kind": "too-large", "message": message}}


def deeper_than(value: Any, levels: int) -> bool:
    """Tell whether a value is nested deeper."""
    level = [value]
    for _ in range(levels):
        level = [child for one in level for child in children(one)]
        if not level:
            return False
    return True


def children(value: Any) -> list[Any]:
    """Return the values in a container."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def write(result: Path, answer: Mapping[str, Any]) -> None:
    """Replace the result file atomically."""
    fresh = result.with_suffix(".new")
    fresh.write_text(json.dumps(answer))
    fresh.replace(result)


def main() -> None:
    """Read the request, write the result, and end whatever the app left running."""
    request = json.loads(Path(sys.argv[1]).read_text())
    result = Path(sys.argv[2])
    names = PathNames(request)
    asked = watch_variables(names)
    # Remains if the app ends the process.
    write(result, {"error": {"kind": "ended", "message": ""}})
    try:
        answer = bounded(compile_app(request, names))
    except CompileError as refused:
        own, vain = (list(dict.fromkeys(one)) for one in (asked.own, asked.vain))
        answer = {"error": {**refused.details, "asked": own[:MOST_NAMED], "vain": vain[-MOST_VAIN:]}}
    except Exception as error:  # what JSON cannot say, for one
        answer = {"error": CompileError("usage", names.shorten(describe(error))).details}
    write(result, answer)
    os._exit(0)


if __name__ == "__main__":
    main()
