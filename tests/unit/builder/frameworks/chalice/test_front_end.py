"""The chalice front end, with real chalice and the real translator in the compiler environment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from building import NoActions
from cfnlint.api import lint_all

from auto_lambda.errors import AppError
from auto_lambda.model import BucketNotification
from auto_lambda.tools import ToolEnvironments
from builder.frameworks.chalice.front_end import CHALICE_VERSION, Chalice
from builder.frameworks.functions import with_functions
from builder.function_options import FunctionOptions
from builder.lint.lint import lint
from builder.model import Draft
from builder.sandbox.sandbox import PlainSandbox

PYTHON = "3.12"
HELLO = """
from chalice import Chalice
app = Chalice(app_name="hello")

@app.route("/")
def index():
    return {}
"""
EVERYTHING = """
import os
import boto3
import venpkg
from chalicelib import helper
from chalice import (AuthResponse, Blueprint, Chalice, CognitoUserPoolAuthorizer, CORSConfig, CustomAuthorizer,
                     IAMAuthorizer, Rate)

app = Chalice(app_name="everything")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.websocket_api.session = boto3.session.Session()
s3 = boto3.client("s3")
assert os.environ["TABLE"] == "t" and os.environ["AWS_CHALICE_CLI_MODE"] == "true"
print("told at import")

@app.authorizer(ttl_seconds=30)
def guard(request):
    return AuthResponse(routes=["*"], principal_id="x")

pool = CognitoUserPoolAuthorizer("pool", provider_arns=["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/p"])
external = CustomAuthorizer("external", authorizer_uri="arn:aws:apigateway:eu-west-1:lambda:path/x/invocations")

@app.route("/", cors=True)
def index():
    s3.list_buckets()
    return {}

@app.route("/items/{name}", methods=["GET", "PUT"], cors=CORSConfig(allow_origin="https://x"), api_key_required=True)
def item(name):
    return {}

@app.route("/guarded", authorizer=guard)
def guarded(): pass
@app.route("/pool", authorizer=pool)
def pooled(): pass
@app.route("/iam", authorizer=IAMAuthorizer())
def signed(): pass
@app.route("/external", authorizer=external)
def elsewhere(): pass

@app.schedule(Rate(5, unit=Rate.MINUTES))
def often(event): pass
@app.schedule("cron(0 12 * * ? *)")
def noon(event): pass
@app.on_cw_event({"source": ["aws.codecommit"]})
def commit(event): pass
@app.on_sqs_message(queue="jobs", batch_size=5, maximum_concurrency=3)
def job(event): pass
@app.on_sns_message(topic="news")
def news(event): pass
@app.on_kinesis_record(stream="flow")
def flow(event): pass
@app.on_dynamodb_record(stream_arn="arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2020-01-01T00:00:00.000")
def changed(event): pass
@app.on_s3_event(bucket="pictures", events=["s3:ObjectCreated:*"], prefix="in/", suffix=".png")
def picture(event): pass
@app.lambda_function(name="pure-one")
def pure(event, context): pass

more = Blueprint(__name__)
@more.route("/more")
def extra(): pass
app.register_blueprint(more, url_prefix="/bp", name_prefix="bp_")

@app.on_ws_connect()
def connect(event): pass
@app.on_ws_message()
def message(event): pass
@app.on_ws_disconnect()
def disconnect(event): pass
"""
EVERYTHING_CONFIG = {
    "version": "2.0",
    "app_name": "everything",
    "automatic_layer": True,
    "profile": "mine",
    "environment_variables": {"TABLE": "t"},
    "tags": {"Team": "x"},
    "lambda_memory_size": 256,
    "log_retention_in_days": 7,
    "xray": True,
    "stages": {
        "dev": {
            "api_gateway_stage": "v1",
            "api_gateway_endpoint_type": "REGIONAL",
            "minimum_compression_size": 1000,
            "lambda_functions": {
                "pure-one": {
                    "lambda_timeout": 10,
                    "reserved_concurrency": 2,
                    "autogen_policy": False,
                    "iam_policy_file": "pure.json",
                    "environment_variables": {"ONLY": "here"},
                    "subnet_ids": ["subnet-12345678"],
                    "security_group_ids": ["sg-12345678"],
                    "layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:mine:1"],
                }
            },
        }
    },
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Mine", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures/*"},
        {"Effect": "Allow", "Action": "ec2:*NetworkInterface*", "Resource": "*"},
    ],
}
PROJECT = {
    "app.py": EVERYTHING,
    ".chalice/config.json": json.dumps(EVERYTHING_CONFIG),
    ".chalice/pure.json": json.dumps(POLICY),
    "chalicelib/__init__.py": "",
    "chalicelib/helper.py": "x = 1\n",
    "vendor/venpkg/__init__.py": "",
    "README.md": "not packaged",
    "tests/test_app.py": "not packaged",
}

Compile = Callable[..., Draft]


@pytest.fixture
def compile_app(tmp_path: Path, compile_chalice: Compile) -> Compile:
    return lambda files, **more: compile_chalice(tmp_path, files, **more)


@pytest.fixture(scope="module")
def log() -> list[str]:
    return []


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, log: list[str], compile_chalice: Compile) -> Draft:
    return compile_chalice(tmp_path_factory.mktemp("everything"), PROJECT, said=log)


@pytest.fixture(scope="module")
def resources(everything: Draft) -> Mapping[str, Any]:
    found: Mapping[str, Any] = everything.template["Resources"]
    return found


def of_type(resources: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


# ---------------------------------------------------------------- what an app declares


def test_cfn_lint_finds_nothing_once_code_is_filled_in(everything: Draft) -> None:
    template = json.loads(json.dumps(everything.template))
    for function in of_type(template["Resources"], "AWS::Lambda::Function"):
        function.update(Code={"S3Bucket": "bucket", "S3Key": "key"}, Runtime="python3.12", Architectures=["x86_64"])
    found = [match for match in lint_all(json.dumps(template)) if match.rule.id[0] in "EW"]
    assert not found


def test_our_own_lint_finds_nothing(everything: Draft) -> None:
    lint(everything.template, {})


def test_everything_declared_becomes_a_function(resources: Mapping[str, Any]) -> None:
    functions = {name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"}
    assert functions == {
        "APIHandler", "Guard", "Often", "Noon", "Commit", "Job", "News", "Flow", "Changed", "Picture", "PureOne",
        "WebsocketConnect", "WebsocketMessage", "WebsocketDisconnect",
    }  # fmt: skip


def test_functions_are_known_by_chalices_own_names(everything: Draft) -> None:
    known = everything.functions
    assert set(known.values()) == {
        name for name, one in everything.template["Resources"].items() if one["Type"] == "AWS::Lambda::Function"
    }
    assert (known["api_handler"], known["pure-one"], known["job"]) == ("APIHandler", "PureOne", "Job")


def test_a_function_takes_what_chalice_has_no_setting_for(everything: Draft) -> None:
    settings = {
        "job": FunctionOptions(partial_batches=True, disk=1024, snap_start=False, dead_letter_queue="lost"),
        "noon": FunctionOptions(retries=0, max_age=60),
        "pure-one": FunctionOptions(url="public", snap_start=True),
        "api_handler": FunctionOptions(provisioned=1),
    }
    found = with_functions(everything, settings, "3.12").template
    lint(found, {})
    sources = of_type(found["Resources"], "AWS::Lambda::EventSourceMapping")
    assert [one["FunctionName"] for one in sources if "FunctionResponseTypes" in one] == [{"Ref": "Job"}]
    assert found["Resources"]["NoonCalls"]["Properties"]["MaximumRetryAttempts"] == 0
    with pytest.raises(AppError, match=r"functions.api_handler.url: it answers an API"):
        with_functions(everything, {"api_handler": FunctionOptions(url="public")}, "3.12")


def test_functions_carry_no_code_runtime_or_version(resources: Mapping[str, Any]) -> None:
    for function in of_type(resources, "AWS::Lambda::Function"):
        assert not {"Code", "Runtime", "Architectures"} & set(function)
    assert not of_type(resources, "AWS::Lambda::Version")
    assert not of_type(resources, "AWS::Lambda::Alias")


def test_every_route_is_integrated_with_the_handler(resources: Mapping[str, Any]) -> None:
    paths = resources["RestAPI"]["Properties"]["Body"]["paths"]
    assert set(paths) == {"/", "/items/{name}", "/guarded", "/pool", "/iam", "/external", "/bp/more"}
    for methods in paths.values():
        for method, what in methods.items():
            integration = what["x-amazon-apigateway-integration"]
            if method == "options":
                assert integration["type"] == "mock"
            else:
                assert "functions/${APIHandler.Arn}/invocations" in integration["uri"]["Fn::Sub"]


def test_cors_answers_preflights(resources: Mapping[str, Any]) -> None:
    options = resources["RestAPI"]["Properties"]["Body"]["paths"]["/items/{name}"]["options"]
    answer = options["x-amazon-apigateway-integration"]["responses"]["default"]["responseParameters"]
    assert answer["method.response.header.Access-Control-Allow-Origin"] == "'https://x'"


@pytest.mark.parametrize(
    ("path", "scheme", "kind"),
    [("/guarded", "guard", "custom"), ("/pool", "pool", "cognito_user_pools"), ("/iam", "sigv4", "awsSigv4"),
     ("/external", "external", "custom")],
)  # fmt: skip
def test_authorizers_are_on_their_routes(resources: Mapping[str, Any], path: str, scheme: str, kind: str) -> None:
    body = resources["RestAPI"]["Properties"]["Body"]
    assert body["paths"][path]["get"]["security"] == [{scheme: []}]
    assert body["securityDefinitions"][scheme]["x-amazon-apigateway-authtype"] == kind


def test_an_authorizer_of_the_app_names_its_function_and_may_be_called(resources: Mapping[str, Any]) -> None:
    scheme = resources["RestAPI"]["Properties"]["Body"]["securityDefinitions"]["guard"]
    uri = scheme["x-amazon-apigateway-authorizer"]["authorizerUri"]["Fn::Sub"]
    assert "functions/${Guard.Arn}/invocations" in uri
    assert resources["GuardInvokePermission"]["Properties"]["Principal"] == "apigateway.amazonaws.com"


def test_schedules_and_events_are_rules(resources: Mapping[str, Any]) -> None:
    rules = of_type(resources, "AWS::Events::Rule")
    assert {rule.get("ScheduleExpression") for rule in rules} == {"rate(5 minutes)", "cron(0 12 * * ? *)", None}
    targets = [rule["Targets"][0]["Arn"] for rule in rules]
    assert {"Fn::GetAtt": ["Often", "Arn"]} in targets
    assert {"Fn::GetAtt": ["Commit", "Arn"]} in targets


def test_queues_and_streams_are_event_source_mappings(resources: Mapping[str, Any]) -> None:
    mappings = {one["FunctionName"]["Ref"]: one for one in of_type(resources, "AWS::Lambda::EventSourceMapping")}
    assert set(mappings) == {"Job", "Flow", "Changed"}
    assert mappings["Job"]["BatchSize"] == 5
    assert mappings["Job"]["ScalingConfig"] == {"MaximumConcurrency": 3}
    assert mappings["Flow"]["StartingPosition"] == "LATEST"


def test_a_topic_is_subscribed(resources: Mapping[str, Any]) -> None:
    (subscription,) = of_type(resources, "AWS::SNS::Subscription")
    assert subscription["Endpoint"] == {"Fn::GetAtt": ["News", "Arn"]}


def test_a_bucket_event_is_handed_on(everything: Draft) -> None:
    assert everything.notifications == (
        BucketNotification("pictures", "Picture", ("s3:ObjectCreated:*",), "in/", ".png"),
    )


def test_websockets_deploy_themselves(resources: Mapping[str, Any]) -> None:
    assert not of_type(resources, "AWS::ApiGatewayV2::Deployment")
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage")
    assert stage["AutoDeploy"] is True
    assert "DeploymentId" not in stage
    uri = resources["WebsocketMessageAPIIntegration"]["Properties"]["IntegrationUri"]["Fn::Sub"]
    assert uri.endswith("/functions/${WebsocketMessage.Arn}/invocations")


def test_settings_reach_the_functions(resources: Mapping[str, Any]) -> None:
    handler, pure = resources["APIHandler"]["Properties"], resources["PureOne"]["Properties"]
    assert (handler["MemorySize"], handler["Timeout"]) == (256, 60)
    assert handler["Environment"] == {"Variables": {"TABLE": "t"}}
    assert handler["TracingConfig"] == {"Mode": "Active"}
    assert {"Key": "Team", "Value": "x"} in handler["Tags"]
    assert "VpcConfig" not in handler
    assert (pure["Timeout"], pure["ReservedConcurrentExecutions"]) == (10, 2)
    assert pure["Environment"] == {"Variables": {"TABLE": "t", "ONLY": "here"}}
    assert pure["VpcConfig"] == {"SubnetIds": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]}
    assert pure["Layers"] == ["arn:aws:lambda:eu-west-1:123456789012:layer:mine:1"]


def test_settings_reach_the_api(everything: Draft, resources: Mapping[str, Any]) -> None:
    assert resources["RestAPI"]["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert resources["RestAPI"]["Properties"]["MinimumCompressionSize"] == 1000
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage")
    assert (stage["StageName"], stage["TracingEnabled"]) == ("v1", True)
    expected = "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v1/"
    assert (everything.main, everything.url) == ("APIHandler", {"Fn::Sub": expected})


def test_binary_types_are_said_in_the_body_and_as_a_property(resources: Mapping[str, Any]) -> None:
    api = resources["RestAPI"]["Properties"]

    assert "image/png" in api["BinaryMediaTypes"]
    assert api["BinaryMediaTypes"] == api["Body"]["x-amazon-apigateway-binary-media-types"]


def test_a_binary_type_that_chalice_has_by_default_is_said_once(tmp_path: Path, compile_chalice: Compile) -> None:
    """As in examples/thumbnails: API Gateway refuses a list that holds a type twice."""
    app = "from chalice import Chalice\napp = Chalice('x')\napp.api.binary_types.append('image/png')\n"
    app += "@app.route('/')\ndef index():\n    return {}\n"
    draft = compile_chalice(tmp_path, {"app.py": app})
    types = draft.template["Resources"]["RestAPI"]["Properties"]["BinaryMediaTypes"]
    assert len(types) == len(set(types))


@pytest.mark.parametrize(("settings", "kind"), [({}, "REGIONAL"), ({"api_gateway_endpoint_type": "EDGE"}, "EDGE")])
def test_an_api_is_regional_unless_the_settings_say_otherwise(
    tmp_path: Path, compile_chalice: Compile, settings: dict[str, str], kind: str
) -> None:
    app = "from chalice import Chalice\napp = Chalice('x')\n@app.route('/')\ndef index():\n    return {}\n"
    config = json.dumps({"version": "2.0", "app_name": "x", **settings})
    draft = compile_chalice(tmp_path, {"app.py": app, ".chalice/config.json": config})
    assert draft.template["Resources"]["RestAPI"]["Properties"]["EndpointConfiguration"] == {"Types": [kind]}


def test_no_stage_appears_that_nobody_asked_for(resources: Mapping[str, Any]) -> None:
    (deployment,) = of_type(resources, "AWS::ApiGateway::Deployment")
    assert "StageName" not in deployment


def test_each_log_group_is_the_one_its_function_writes_to(resources: Mapping[str, Any]) -> None:
    names = {one["LogGroupName"]["Fn::Sub"] for one in of_type(resources, "AWS::Logs::LogGroup")}
    functions = [name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"]
    assert names == {f"/aws/lambda/${{{name}}}" for name in functions}


def test_policies_are_generated_or_from_files(resources: Mapping[str, Any]) -> None:
    generated = resources["DefaultRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert generated[0]["Action"] == ["s3:ListAllMyBuckets"]
    assert not any("Sid" in statement for statement in generated)
    by_file = resources["PureOneRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    assert by_file == POLICY


def test_the_code_is_what_chalice_packages(everything: Draft) -> None:
    files = {str(path.relative_to(everything.code)) for path in everything.code.rglob("*") if path.is_file()}
    assert files == {"app.py", "chalicelib/__init__.py", "chalicelib/helper.py", "venpkg/__init__.py"}


def test_dropped_settings_are_warned_about_and_output_goes_to_the_log(everything: Draft, log: list[str]) -> None:
    (warning,) = everything.warnings
    assert warning.startswith("profile in .chalice/config.json is ignored")
    assert "told at import" in log


def test_the_same_source_gives_the_same_bytes_anywhere(everything: Draft, compile_app: Compile) -> None:
    again = compile_app(PROJECT)
    assert json.dumps(again.template) == json.dumps(everything.template)
    assert "auto-lambda" not in json.dumps(again.template)


def deployment_of(draft: Draft) -> str:
    resources: Mapping[str, Any] = draft.template["Resources"]
    (name,) = [name for name, one in resources.items() if one["Type"] == "AWS::ApiGateway::Deployment"]
    assert resources["RestAPIapiStage"]["Properties"]["DeploymentId"] == {"Ref": name}
    return name


def test_an_api_is_deployed_anew_when_and_only_when_it_changed(tmp_path: Path, compile_chalice: Compile) -> None:
    def deployed(name: str, app: str, **config: Any) -> str:
        files = {"app.py": app, ".chalice/config.json": json.dumps({"app_name": "x", **config})}
        return deployment_of(compile_chalice(tmp_path / name, files))

    first = deployed("first", HELLO)
    assert deployed("body", HELLO.replace("{}", "{'x': 1}")) == first
    assert deployed("route", HELLO.replace('"/"', '"/x"')) != first
    assert deployed("compression", HELLO, minimum_compression_size=5) != first


def test_only_websockets(compile_app: Compile) -> None:
    app = """
from chalice import Chalice
app = Chalice(app_name="chat")
app.experimental_feature_flags.add("WEBSOCKETS")
@app.on_ws_message()
def message(event): pass
"""
    draft = compile_app({"app.py": app})
    expected = "wss://${WebsocketAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"
    assert (draft.main, draft.url) == ("WebsocketMessage", {"Fn::Sub": expected})


def test_another_stage_takes_its_own_settings(compile_app: Compile) -> None:
    config = {"stages": {"dev": {"lambda_memory_size": 512}, "prod": {"lambda_memory_size": 1024}}}
    draft = compile_app({"app.py": HELLO, ".chalice/config.json": json.dumps(config)}, stage="prod")
    function = draft.template["Resources"]["APIHandler"]["Properties"]
    assert function["MemorySize"] == 1024
    assert function["Tags"][0]["Value"] == f"version={CHALICE_VERSION}:stage=prod:app=shop"


# ---------------------------------------------------------------- what the app sees while it is imported


def test_the_layer_wins_over_the_tools_own_packages(compile_app: Compile) -> None:
    app = HELLO + "import pydantic, boto3\nassert pydantic.MINE and boto3.MINE\nimport jmespath\n"
    site = {
        "pydantic/__init__.py": "MINE = True",
        "boto3/__init__.py": "MINE = True",
        "chalice-1.20.0.dist-info/METADATA": "",
    }
    draft = compile_app({"app.py": app}, site=site)
    assert draft.warnings == (f"the app runs with chalice 1.20.0, but is compiled with chalice {CHALICE_VERSION}",)


def test_awss_own_library_is_there_without_being_shipped(compile_app: Compile) -> None:
    app = HELLO + "import boto3, botocore.session, s3transfer, jmespath, dateutil.parser, urllib3, six\n"
    compile_app({"app.py": app})


def test_an_own_copy_wins_over_awss_library(compile_app: Compile) -> None:
    app = HELLO + "import six, boto3\nassert six.MINE\n"
    compile_app({"app.py": app}, site={"six.py": "MINE = True"})


def test_policies_are_generated_by_the_tools_own_library_where_the_app_ships_another(compile_app: Compile) -> None:
    app = HELLO + "import urllib3, jmespath, botocore.session\nassert urllib3.MINE and jmespath.MINE\n"
    app += (
        "import boto3\n\ns3 = boto3.client('s3')\n\n@app.route('/b')\ndef b():\n    s3.list_buckets()\n    return {}\n"
    )
    mine = {f"{name}/__init__.py": "MINE = True" for name in ("urllib3", "jmespath")}
    boto3 = {"boto3/__init__.py": "def client(name): return None"}
    botocore = {"botocore/__init__.py": "", "botocore/session.py": "MINE = True", "botocore/loaders.py": "MINE = True"}
    draft = compile_app({"app.py": app}, site={**mine, **boto3, **botocore})
    policy = draft.template["Resources"]["DefaultRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == ["s3:ListAllMyBuckets"]


@pytest.mark.parametrize("name", ["chalice_import", "imported_later", "sam_expand"])
def test_an_app_may_have_modules_with_the_names_of_ours(compile_app: Compile, name: str) -> None:
    compile_app(
        {
            "app.py": HELLO + f"from chalicelib import x\nimport {name}\nassert {name}.MINE and x\n",
            "chalicelib/__init__.py": "x = 1",
        },
        site={f"{name}.py": "MINE = True"},
    )


def test_the_uploads_environment_wins(compile_app: Compile) -> None:
    app = HELLO + "import os\nassert os.environ['WHO'] == 'ours'\n"
    config = {"app_name": "x", "environment_variables": {"WHO": "theirs"}}
    compile_app({"app.py": app, ".chalice/config.json": json.dumps(config)}, environment={"WHO": "ours"})


# ---------------------------------------------------------------- apps that nobody here wrote


def templates() -> Iterator[Path]:
    package = ToolEnvironments().python("compiler", PYTHON).parent.parent / "lib" / f"python{PYTHON}" / "site-packages"
    for config in sorted((package / "chalice" / "templates").glob("**/.chalice/config.json")):
        yield config.parent.parent


def test_chalices_own_project_templates_compile(tmp_path: Path, compile_chalice: Compile) -> None:
    mains = []
    for number, template in enumerate(templates()):
        folder = tmp_path / str(number)
        shutil.copytree(template, folder / "app")
        app = (folder / "app" / "app.py").read_text().replace("{{app_name}}", "fresh")
        environment = {"APP_BUCKET_NAME": "pictures", "APP_TABLE_NAME": "table"}
        config = (folder / "app" / ".chalice" / "config.json").read_text().replace("{{app_name}}", "fresh")
        files = {"app.py": app, ".chalice/config.json": config}
        mains.append(compile_chalice(folder, files, environment=environment).main)
    assert mains == ["APIHandler", "S3Handler", "FirstFunction", "APIHandler", "APIHandler"]


def test_chalice_is_always_asked_for(tmp_path: Path) -> None:
    assert Chalice(PlainSandbox(), ToolEnvironments(), NoActions()).requirements(tmp_path) == ("chalice",)


def test_roles_and_domains_of_the_account_are_left_out_with_a_warning(
    tmp_path: Path, compile_chalice: Callable[..., Draft]
) -> None:
    domain = {"domain_name": "api.example.com", "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/0a"}
    config = {
        "manage_iam_role": False, "iam_role_arn": "arn:aws:iam::123456789012:role/x",
        "environment_variables": {"profile": "kept"},
        "stages": {"dev": {"api_gateway_custom_domain": domain}, "version": "2.0"},
    }  # fmt: skip
    draft = compile_chalice(tmp_path, {"app.py": HELLO, ".chalice/config.json": json.dumps(config)})

    kinds = {one["Type"] for one in draft.template["Resources"].values()}
    assert "AWS::IAM::Role" in kinds
    assert not {kind for kind in kinds if "Domain" in kind or "BasePath" in kind}
    (function,) = (one for one in draft.template["Resources"].values() if one["Type"] == "AWS::Lambda::Function")
    assert function["Properties"]["Environment"]["Variables"] == {"profile": "kept"}
    assert {warning.partition(" ")[0] for warning in draft.warnings} == {
        "manage_iam_role", "iam_role_arn",
    }  # fmt: skip
    assert [one.name for one in draft.domains] == ["api.example.com"]


@pytest.mark.parametrize(
    "value", ["./chalicelib:./:$PYTHONPATH", "/var/task/chalicelib", "$LAMBDA_TASK_ROOT/chalicelib"]
)
def test_a_python_path_of_the_apps_own_counts(
    tmp_path: Path, compile_chalice: Callable[..., Draft], value: str
) -> None:
    files = {
        "app.py": HELLO + "import mine, theirs\n", "chalicelib/__init__.py": "", "chalicelib/mine.py": "",
        ".chalice/config.json": json.dumps({"environment_variables": {"PYTHONPATH": value}}),
    }  # fmt: skip
    assert compile_chalice(tmp_path, files, site={"theirs.py": ""}).main
