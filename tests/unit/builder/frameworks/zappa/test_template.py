from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification
from auto_lambda.tools import ToolEnvironments
from builder.frameworks.zappa import settings
from builder.frameworks.zappa.events import Schedule, event_source_parts
from builder.frameworks.zappa.settings import StageSettings
from builder.frameworks.zappa.template import build_template
from builder.lint.lint import lint as lint_draft
from builder.protocol.messages import AppBuilt, NotificationMessage, ProofMessage
from worker.bundle.publish import Publication, publish
from worker.deploy.gate import allow_list, ownership, wiring
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.template import TemplateView
from worker.model import DeployTarget

APP = App("dev", "shop")
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
LEX = "arn:aws:lex:us-east-1:123456789012:bot:Order"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
TOPIC = "arn:aws:sns:us-east-1:123456789012:news"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
DRIVER = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("zappa_package", sys.argv[1])
inside = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inside)
from types import SimpleNamespace
from zappa.core import Zappa
answers = {}
for name, settings in json.loads(sys.argv[2]).items():
    zappa = Zappa(aws_region="us-east-1", load_credentials=False)
    cli = SimpleNamespace(zappa=zappa, use_apigateway=True, use_websocket=settings.get("websocket_handler_module"))
    answers[name] = {
        "resources": inside.resources(cli, {"function": "shop-dev", "stage": "dev"}, settings),
        "rules": inside.rules(cli, "shop-dev", settings),
    }
json.dump(answers, sys.stdout)
"""
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "http": {"apigateway_version": "v2", "cors": True, "tags": {"team": "shop"}, "cloudwatch_metrics_enabled": True},
    "http with one origin": {"apigateway_version": "v2", "cors": {"allowed_origin": "https://shop.example"}},
    "guarded": {"authorizer": {"type": "TOKEN", "function": "auth.check"}},
    "guarded, no type": {"authorizer": {"function": "auth.check"}},
    "guarded by another": {
        "authorizer": {"type": "REQUEST", "arn": "arn:aws:lambda:us-east-1:123456789012:function:guard:live"}
    },
    "pool": {
        "authorizer": {
            "type": "COGNITO_USER_POOLS",
            "provider_arns": ["arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_abcdefghi"],
        }
    },
    "signed": {"iam_authorization": True, "authorizer": {"function": "auth.check"}},
    "signed http": {"iam_authorization": True, "apigateway_version": "v2"},
    "keyed": {"api_key_required": True},
    "existing key": {"api_key_required": True, "api_key": "abc123"},
    "cors": {"cors": True},
    "text only": {"cors": True, "binary_support": False, "payload_compression": False},
    "cached": {
        "cache_cluster_enabled": True, "cache_cluster_size": 0.5, "cloudwatch_log_level": "INFO",
        "endpoint_configuration": ["REGIONAL"], "xray_tracing": True, "tags": {"a": "b"},
    },
    "edge": {"endpoint_configuration": ["EDGE"]},
    "sockets": {"websocket_handler_module": "sockets"},
    "url only": {"apigateway_enabled": False, "function_url_enabled": True, "keep_warm": False},
    "signed url": {
        "apigateway_enabled": False, "function_url_enabled": True,
        "function_url_config": {"authorizer": "AWS_IAM", "cors": False},
    },
    "everything on the function": {
        "memory_size": 1024, "timeout_seconds": 60, "ephemeral_storage": {"Size": 1024}, "lambda_concurrency": 5,
        "provisioned_concurrency": 2, "dead_letter_arn": QUEUE, "tags": {"team": "shop"}, "xray_tracing": True,
        "vpc_config": {"SubnetIds": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]},
        "aws_environment_variables": {"COLOUR": "red"}, "lambda_handler": "own.handler",
        "aws_kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
        "layers": ["arn:aws:lambda:us-east-1:123456789012:layer:tools:3"],
        "efs_config": [{
            "Arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-12345678901234567",
            "LocalMountPath": "/mnt/data",
        }],
        "remote_env": "s3://settings/shop.json",
        "extra_permissions": [{"Effect": "Allow", "Action": ["ses:SendEmail"], "Resource": "*"}],
    },
    "snapped": {"snap_start": "PublishedVersions"},
    "events": {
        "events": [
            {"function": "tasks.nightly", "expression": "rate(1 day)", "kwargs": {"deep": True}},
            {"function": "tasks.often", "expressions": ["rate(5 minutes)", "cron(0 0 * * ? *)"], "enabled": False},
            {"function": "jobs.order", "event_source": {"arn": QUEUE, "batch_size": 20}},
            {"function": "jobs.click", "event_source": {"arn": STREAM, "starting_position": "LATEST"}},
            {"function": "jobs.change", "event_source": {"arn": TABLE, "enabled": False}},
            {"function": "jobs.news", "event_source": {"arn": TOPIC, "filters": {"a": ["x"], "b": ["y"]}}},
            {"function": "jobs.more", "event_source": {"arn": TOPIC, "filters": {"a": ["z"]}}},
            {
                "function": "jobs.upload",
                "event_source": {
                    "arn": "arn:aws:s3:::uploads", "events": ["s3:ObjectCreated:*"],
                    "key_filters": [{"type": "suffix", "value": ".jpg"}, {"type": "prefix", "value": "in/"}],
                },
            },
            {
                "function": "jobs.stopped",
                "event_source": {
                    "arn": "arn:aws:events:us-east-1:123456789012:rule/stopped",
                    "event_pattern": {"source": ["aws.ec2"]},
                },
            },
        ]
    },
    "tasks": {"async_source": "sns", "async_response_table": "shop-dev-answers"},
    "tasks elsewhere": {"async_source": "sns", "async_response_table": "answers", "async_resources": False},
    "pool triggers": {"cognito": {"user_pool": "us-east-1_abcdefghi", "triggers": []}},
}  # fmt: skip

Build = Callable[..., tuple[dict[str, Any], Any]]


@pytest.fixture(scope="session")
def zappas() -> dict[str, Any]:
    """What zappa itself makes of each variant, all in one process."""
    python = ToolEnvironments().python("compiler", "3.12")
    script = Path(settings.__file__).with_name("inside") / "zappa_package.py"
    command = [str(python), "-I", "-B", "-c", DRIVER, str(script), json.dumps(VARIANTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="session")
def build(zappas: dict[str, Any]) -> Build:
    def made(variant: str, policies: dict[str, Any] | None = None, **changed: Any) -> tuple[dict[str, Any], Any]:
        settings = StageSettings({**VARIANTS[variant], **changed})
        rules = [Schedule.model_validate(rule) for rule in zappas[variant]["rules"]]
        return build_template(APP, settings, policies or {}, rules, zappas[variant]["resources"])

    return made


def resource(built: dict[str, Any], kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one["Properties"] for one in built["Resources"].values() if one["Type"] == kind]
    assert len(found) == 1
    return found[0]


def statements(built: dict[str, Any]) -> list[dict[str, Any]]:
    role = resource(built, "AWS::IAM::Role")
    return [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]


def published(build: Build, variant: str) -> tuple[dict[str, Any], Any]:
    built, parts = build(variant)
    notifications = [
        NotificationMessage(
            bucket=one.bucket,
            function=one.function,
            events=list(one.events),
            prefix=one.prefix,
            suffix=one.suffix,
            called=list(one.called),
        )
        for one in parts.notifications
    ]
    made = AppBuilt(
        framework="zappa", python="3.12", architecture="x86_64", template=built, main="App", url=parts.url,
        notifications=notifications, environment={}, health_path="/", lock="", shared_layer=None,
        proof=ProofMessage(init_ms=1, package_bytes=1, package_zip_bytes=1), files=[],
    )  # fmt: skip
    code, layer = f"bundles/{'0' * 64}.zip", f"layers/{'0' * 64}.zip"
    publication = Publication(APP, "artifacts", code, layer, "3.12", "x86_64", BOUNDARY, {"LEVEL": "low"}, {})
    return publish(made, publication), parts


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_passes_the_gate_once_published(build: Build, variant: str) -> None:
    made, parts = published(build, variant)
    target = DeployTarget("artifacts", BOUNDARY, "us-east-1")
    assert list(allow_list.problems(made)) == []
    assert list(ownership.problems(TemplateView(made["Resources"]), AppAccess(APP), target, parts.notifications)) == []
    assert list(wiring.problems(made, target, parts.notifications)) == []


LINTED = (
    "http", "guarded", "pool", "keyed", "cached", "sockets", "url only", "everything on the function", "events",
    "tasks",
)  # fmt: skip


@pytest.mark.parametrize("variant", LINTED)
def test_what_is_published_is_sound_cloudformation(build: Build, variant: str) -> None:
    assert lint(published(build, variant)[0]) == []
    lint_draft(build(variant)[0], {})


def lint(made: dict[str, Any]) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cfnlint.api import lint as cfn_lint

        return [str(match) for match in cfn_lint(json.dumps(made), regions=["us-east-1"])]


def test_the_function_is_named_after_the_upload_so_that_zappa_finds_it(build: Build) -> None:
    assert resource(build("plain")[0], "AWS::Lambda::Function")["FunctionName"] == "shop-dev"


def test_the_same_settings_make_the_same_template(build: Build) -> None:
    assert json.dumps(build("events")[0]) == json.dumps(build("events")[0])


def test_a_rest_api_is_regional_unless_the_settings_say_otherwise(build: Build) -> None:
    def kinds(variant: str) -> Any:
        return resource(build(variant)[0], "AWS::ApiGateway::RestApi")["EndpointConfiguration"]["Types"]

    assert (kinds("plain"), kinds("edge")) == (["REGIONAL"], ["EDGE"])


def test_a_changed_api_is_deployed_anew(build: Build) -> None:
    def deployment(built: dict[str, Any]) -> str:
        resources: dict[str, Any] = built["Resources"]
        return next(name for name, one in resources.items() if one["Type"] == "AWS::ApiGateway::Deployment")

    plain, cors = deployment(build("plain")[0]), deployment(build("cors")[0])
    assert plain != cors
    assert plain == deployment(build("plain", memory_size=2048)[0])


def test_a_token_authorizer_is_on_every_route_as_custom(build: Build) -> None:
    built, _ = build("guarded")
    routes = [one["Properties"] for one in built["Resources"].values() if one["Type"] == "AWS::ApiGateway::Method"]
    assert {route["AuthorizationType"] for route in routes} == {"CUSTOM"}
    assert all(route["AuthorizerId"] == {"Ref": "Authorizer"} for route in routes)
    assert "AuthorizerCredentials" not in resource(built, "AWS::ApiGateway::Authorizer")


def test_a_preflight_stays_open_and_answers_in_text(build: Build) -> None:
    built, _ = build("cors")
    options = built["Resources"]["OPTIONS1"]["Properties"]
    assert options["AuthorizationType"] == "NONE"
    assert options["Integration"]["ContentHandling"] == "CONVERT_TO_TEXT"


def test_an_origin_is_not_widened_on_an_http_api(build: Build) -> None:
    cors = resource(build("http with one origin")[0], "AWS::ApiGatewayV2::Api")["CorsConfiguration"]
    assert cors["AllowOrigins"] == ["https://shop.example"]


def test_a_rule_ends_in_the_function_that_the_handler_runs(build: Build) -> None:
    built, _ = build("events")
    names = [one["Properties"]["Name"] for one in built["Resources"].values() if "Name" in one["Properties"]]
    last = {name.split("-")[-1] for name in names if name != "shop-dev"}
    assert last == {"tasks.nightly", "tasks.often", "handler.keep_warm_callback"}


def test_a_scheduled_event_carries_its_arguments_as_json(build: Build) -> None:
    built, _ = build("events")
    rules = [one["Properties"] for one in built["Resources"].values() if one["Type"] == "AWS::Events::Rule"]
    rule = next(one for one in rules if one.get("Name", "").endswith("tasks.nightly"))
    said = rule["Targets"][0]["InputTransformer"]["InputTemplate"]
    for passed in rule["Targets"][0]["InputTransformer"]["InputPathsMap"]:
        said = said.replace(f"<{passed}>", '"x"')
    assert json.loads(said)["kwargs"] == {"deep": True}


def test_an_event_pattern_calls_its_function_by_name(build: Build) -> None:
    built, _ = build("events")
    rules = [one["Properties"] for one in built["Resources"].values() if one["Type"] == "AWS::Events::Rule"]
    said = next(rule for rule in rules if "EventPattern" in rule)["Targets"][0]["InputTransformer"]
    assert '"command": "jobs.stopped"' in said["InputTemplate"]
    assert "detail-type" not in said["InputPathsMap"]


@pytest.mark.parametrize(("resource", "bus"), [
    ("rule/any", None), ("rule", None), ("event-bus/default", None), ("event-bus/orders", "orders"),
    ("rule/orders/any", "orders"),
])  # fmt: skip
def test_a_rule_is_made_on_the_bus_that_is_named(resource: str, bus: str | None) -> None:
    place = "arn:aws:events:us-east-1:123456789012"
    made = {}
    for what in ("event_pattern", "schedule"):
        value: Any = {"source": ["shop"]} if what == "event_pattern" else "rate(1 hour)"
        event = {"function": "jobs.a", "event_source": {"arn": f"{place}:{resource}", what: value}}
        resources = event_source_parts(StageSettings({"events": [event]})).resources.values()
        (made[what],) = (one["Properties"].get("EventBusName") for one in resources if "Events" in one["Type"])
    assert made == {"event_pattern": f"{place}:event-bus/{bus}" if bus else None, "schedule": None}


def test_two_functions_on_one_topic_share_a_subscription_as_wide_as_both(build: Build) -> None:
    assert resource(build("events")[0], "AWS::SNS::Subscription")["FilterPolicy"] == {"a": ["x", "z"]}


def test_bucket_events_are_left_to_the_step_after_the_stack(build: Build) -> None:
    _, parts = build("events")
    assert parts.notifications == [
        BucketNotification("uploads", "App", ("s3:ObjectCreated:*",), "in/", ".jpg", ("jobs.upload",))
    ]


def on_upload(function: str, **source: Any) -> dict[str, Any]:
    return {"function": function, "event_source": {"arn": "arn:aws:s3:::uploads", **source}}


def bucket_events(*events: dict[str, Any]) -> list[BucketNotification]:
    return event_source_parts(StageSettings({"events": list(events)})).notifications


def test_each_notification_knows_the_functions_that_it_is_for() -> None:
    apart = bucket_events(on_upload("jobs.a", prefix="a/"), on_upload("jobs.b", prefix="b/"))
    assert [(one.prefix, one.called) for one in apart] == [("a/", ("jobs.a",)), ("b/", ("jobs.b",))]
    (shared,) = bucket_events(on_upload("jobs.a"), on_upload("jobs.b"), on_upload("jobs.a"))
    assert shared.called == ("jobs.a", "jobs.b")


@pytest.mark.parametrize(
    "events",
    [
        [on_upload("jobs.a"), on_upload("jobs.b"), on_upload("jobs.c", events=["s3:ObjectRemoved:*"])],
        [on_upload(f"jobs.{'a' * 140}")],
    ],
)
def test_functions_that_no_notification_could_name_are_refused(events: list[dict[str, Any]]) -> None:
    with pytest.raises(AppError) as caught:
        bucket_events(*events)
    assert caught.value.code is Code.BAD_CONFIG


def test_the_role_grants_what_the_triggers_need_and_no_wildcard_service(build: Build) -> None:
    actions = {action for one in statements(build("events")[0]) for action in one["Action"]}
    assert {"sqs:ReceiveMessage", "kinesis:GetRecords", "dynamodb:GetRecords", "s3:GetObject"} <= actions
    assert not [action for action in actions if action.endswith(":*")]


def test_the_role_of_a_plain_app_writes_its_log_and_calls_itself_only(build: Build) -> None:
    built, parts = build("plain")
    services = {action.split(":")[0] for one in statements(built) for action in one["Action"]}
    assert services == {"logs", "lambda"}
    assert parts.warnings == []


def test_policies_of_the_settings_are_granted_beside_it(build: Build) -> None:
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    built, _ = build("plain", {"attach_policy": own}, attach_policy="policy.json")
    assert own["Statement"][0] in statements(built)


@pytest.mark.parametrize(
    ("settings", "code", "named"),
    [
        ({"events": [{"function": "x.y", "event_source": {"arn": LEX}}]}, Code.UNSUPPORTED_SETTING, "lex"),
        ({"events": [{"function": "x.y", "event_source": {"arn": "orders"}}]}, Code.BAD_CONFIG, "event_source.arn"),
        ({"events": [{"function": "cleanup", "expression": "rate(1 day)"}]}, Code.BAD_CONFIG, "events[0].function"),
        ({"events": [{"function": "x.y"}]}, Code.BAD_CONFIG, "events[0].expression"),
        ({"events": "daily"}, Code.BAD_CONFIG, "events"),
        ({"memory_size": "lots"}, Code.BAD_CONFIG, "memory_size"),
        ({"timeout_seconds": True}, Code.BAD_CONFIG, "timeout_seconds"),
        ({"aws_environment_variables": {"N": 1}}, Code.BAD_CONFIG, "aws_environment_variables.N"),
        ({"efs_config": True}, Code.UNSUPPORTED_SETTING, "efs_config"),
        ({"async_source": "kafka"}, Code.BAD_CONFIG, "async_source"),
        ({"async_response_table": "a b"}, Code.BAD_CONFIG, "async_response_table"),
        ({"cognito": {"user_pool": "?"}}, Code.BAD_CONFIG, "cognito.user_pool"),
        ({"tags": ["a"]}, Code.BAD_CONFIG, "tags"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_by_name(build: Build, settings: dict[str, Any], code: Code, named: str) -> None:
    with pytest.raises(AppError) as caught:
        build("plain", **settings)
    assert caught.value.code == code
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("authorizer", "code", "named"),
    [
        ({"type": "JWT", "function": "auth.check"}, Code.UNSUPPORTED_SETTING, "authorizer.type"),
        ({"type": "REQUEST", "function": "auth.check"}, Code.UNSUPPORTED_SETTING, "authorizer.type"),
        ({"arn": "arn:aws:lambda:::${x}"}, Code.BAD_CONFIG, "authorizer.arn"),
        ({"type": "COGNITO_USER_POOLS"}, Code.BAD_CONFIG, "provider_arns"),
        ({"type": "TOKEN"}, Code.BAD_CONFIG, "authorizer.function"),
    ],
)
def test_an_authorizer_that_would_not_guard_is_refused(
    build: Build, authorizer: dict[str, Any], code: Code, named: str
) -> None:
    with pytest.raises(AppError) as caught:
        build("guarded", authorizer=authorizer)
    assert caught.value.code == code
    assert named in caught.value.message


def test_a_name_that_lambda_would_not_take_is_refused() -> None:
    with pytest.raises(AppError, match="64"):
        build_template(App("s" * 40, "n" * 40), StageSettings({}), {}, [], {})
