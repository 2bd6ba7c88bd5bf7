"""Drafts written by hand, small and of every kind of trigger, and what makes bundles of them."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import FrameworkName, Template
from builder.dependencies.zips import write_zip
from builder.protocol.flex import FlexMessage
from builder.protocol.messages import AppBuilt, NotificationMessage, ProofMessage
from worker.builds.client import BuiltApp, CheckedFile
from worker.bundle.assemble import assemble
from worker.deploy.gate.access import AppAccess
from worker.model import Bundle, DeployTarget, PipelineDomain

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/auto-lambda/Boundary"
SURROUNDINGS = DeployTarget("artifacts", BOUNDARY, "us-east-1", uploads_bucket="uploads")
DOMAIN_OF_PIPELINE = PipelineDomain(
    "apps.example.com", f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0123-abcd", "Z0123456789"
)
APP = App("dev", "shop")

HELLO = """
import os
def handler(event, context):
    body = os.environ.get("COLOR", "white") + " " + os.environ["AUTO_LAMBDA_RELEASE"]
    return {"statusCode": 200, "headers": {}, "body": body}
"""

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
INVOCATIONS = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${%s.Arn}/invocations"


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def function(handler: str = "app.handler", **more: Any) -> dict[str, Any]:
    return resource("Lambda::Function", Handler=handler, MemorySize=128, Role={"Fn::GetAtt": ["Role", "Arn"]}, **more)


def role() -> dict[str, Any]:
    return resource("IAM::Role", AssumeRolePolicyDocument=_TRUST)


def permission(name: str, service: str, source: Any) -> dict[str, Any]:
    return resource(
        "Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName={"Ref": name},
        Principal=f"{service}.amazonaws.com",
        SourceArn=source,
    )


def integration(name: str) -> dict[str, Any]:
    uri = {"Fn::Sub": INVOCATIONS % name}
    return {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}


def execute_api(api: str, rest: str = "*") -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/{rest}"}


def rest_template(**function_properties: Any) -> Template:
    """One function behind a REST API by Body, stage ``api``."""
    paths = {
        "/": {"get": {"responses": {}, "x-amazon-apigateway-integration": integration("Api")}},
        "/{proxy+}": {
            "x-amazon-apigateway-any-method": {"responses": {}, "x-amazon-apigateway-integration": integration("Api")}
        },
    }
    body = {"swagger": "2.0", "info": {"title": "shop", "version": "1"}, "paths": paths}
    stage = {"RestApiId": {"Ref": "Rest"}, "DeploymentId": {"Ref": "RestDeployment"}, "StageName": "api"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Api": function(**function_properties),
            "Role": role(),
            "Rest": resource("ApiGateway::RestApi", Body=body),
            "RestDeployment": resource("ApiGateway::Deployment", RestApiId={"Ref": "Rest"}),
            "RestStage": resource("ApiGateway::Stage", **stage),
            "RestPermission": permission("Api", "apigateway", execute_api("Rest")),
        },
    }


def everything() -> Template:
    """Every kind of trigger, each written in another of CloudFormation's forms."""
    template = rest_template()
    resources = template["Resources"]
    body = resources["Rest"]["Properties"]["Body"]
    authorizer = {"type": "token", "authorizerUri": {"Fn::Sub": INVOCATIONS % "Guard"}}
    body["securityDefinitions"] = {
        "guard": {
            "type": "apiKey", "name": "Authorization", "in": "header",
            "x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": authorizer,
        }
    }  # fmt: skip
    body["paths"]["/"]["get"]["security"] = [{"guard": []}]
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:news"
    joined = ["arn:aws:apigateway:", {"Ref": "AWS::Region"}, ":lambda:path/2015-03-31/functions/",
              {"Fn::GetAtt": ["Work", "Arn"]}, "/invocations"]  # fmt: skip
    by_name = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Handler}/invocations"
    )
    scheduler = {"Statement": [{**_TRUST["Statement"][0], "Principal": {"Service": "scheduler.amazonaws.com"}}]}  # type: ignore[dict-item]
    route = {"ApiId": {"Ref": "Sockets"}, "Target": {"Fn::Sub": "integrations/${SocketIntegration}"}}
    resources |= {
        "Guard": function("app.guard"),
        "GuardPermission": permission("Guard", "apigateway", execute_api("Rest", "authorizers/*")),
        "Work": function("app.work", ReservedConcurrentExecutions=1),
        "Resource": resource(
            "ApiGateway::Resource", RestApiId={"Ref": "Old"}, PathPart="x",
            ParentId={"Fn::GetAtt": ["Old", "RootResourceId"]},
        ),
        "Old": resource("ApiGateway::RestApi", Name="old"),
        "Method": resource(
            "ApiGateway::Method",
            RestApiId={"Ref": "Old"}, ResourceId={"Ref": "Resource"}, HttpMethod="ANY",
            AuthorizationType="CUSTOM", AuthorizerId={"Ref": "OldGuard"},
            Integration={"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Join": ["", joined]}},
        ),
        "OldGuard": resource(
            "ApiGateway::Authorizer", RestApiId={"Ref": "Old"}, Type="TOKEN", Name="guard",
            IdentitySource="method.request.header.Authorization",
            AuthorizerUri={"Fn::Sub": INVOCATIONS % "Guard"},
        ),
        "OldPermission": permission("Work", "apigateway", execute_api("Old", "*/*")),
        "OldGuardPermission": permission("Guard", "apigateway", execute_api("Old")),
        "Sockets": resource("ApiGatewayV2::Api", Name="s", ProtocolType="WEBSOCKET", RouteSelectionExpression="$r"),
        "SocketIntegration": resource(
            "ApiGatewayV2::Integration", ApiId={"Ref": "Sockets"}, IntegrationType="AWS_PROXY",
            IntegrationUri={"Fn::Sub": [by_name, {"Handler": {"Ref": "Work"}}]},
        ),
        "SocketRoute": resource("ApiGatewayV2::Route", RouteKey="$connect", **route),
        "SocketPermission": permission("Work", "apigateway", execute_api("Sockets")),
        "Rule": resource(
            "Events::Rule", ScheduleExpression="rate(5 minutes)",
            Targets=[{"Id": "work", "Arn": {"Fn::GetAtt": "Work.Arn"}}],
        ),
        "RulePermission": permission("Work", "events", {"Fn::GetAtt": ["Rule", "Arn"]}),
        "Queue": resource(
            "Lambda::EventSourceMapping", FunctionName={"Ref": "Work"},
            EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs",
        ),
        "News": resource(
            "SNS::Subscription", Protocol="lambda", TopicArn=topic, Endpoint={"Fn::Sub": "${Work.Arn}"}
        ),
        "NewsPermission": permission("Work", "sns", topic),
        "Later": resource(
            "Scheduler::Schedule", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": {"Fn::GetAtt": ["Work", "Arn"]}, "RoleArn": {"Fn::GetAtt": ["LaterRole", "Arn"]}},
        ),
        "LaterRole": resource("IAM::Role", AssumeRolePolicyDocument=scheduler),
        "Url": resource("Lambda::Url", AuthType="NONE", TargetFunctionArn={"Ref": "Work"}),
        "UrlPermission": resource(
            "Lambda::Permission", Action="lambda:InvokeFunctionUrl", FunctionName={"Fn::GetAtt": ["Work", "Arn"]},
            Principal="*", FunctionUrlAuthType="NONE",
        ),
        "UrlInvokePermission": resource(
            "Lambda::Permission", Action="lambda:InvokeFunction", FunctionName={"Ref": "Work"},
            Principal="*", InvokedViaFunctionUrl=True,
        ),
        "Retries": resource(
            "Lambda::EventInvokeConfig", FunctionName={"Ref": "Work"}, MaximumRetryAttempts=1, Qualifier="$LATEST"
        ),
        "Logs": resource("Logs::LogGroup", LogGroupName={"Fn::Sub": "/aws/lambda/${Work}"}, RetentionInDays=7),
    }  # fmt: skip
    return template


class Maker:
    """Makes bundles below a folder, of what a builder would answer.

    Args:
        folder: empty and writable.
        surroundings: what the bundles are made for.
        app: whose they are.
    """

    def __init__(self, folder: Path, surroundings: DeployTarget = SURROUNDINGS, app: App = APP) -> None:
        self.folder = folder
        self.surroundings = surroundings
        self.app = app
        self.access = AppAccess(app)
        self._made = 0

    def layer(self, files: dict[str, str]) -> CheckedFile:
        zipped = self._next() / "layer.zip"
        with zipfile.ZipFile(zipped, "w") as archive:
            for name, text in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(f"python/{name}"), text)
        return _checked(zipped)

    def built(
        self,
        template: Template,
        code: str = HELLO,
        *,
        url: bool = True,
        main: str = "Api",
        environment: dict[str, str] | None = None,
        health_path: str = "/",
        layer: dict[str, str] | None = None,
        notifications: tuple[NotificationMessage, ...] = (),
        lock: str = "",
        retain: int | None = None,
        log_days: int | None = None,
        asked: bool = True,
        release: dict[str, str] | None = None,
        flex: FlexMessage | None = None,
        framework: FrameworkName = "chalice",
    ) -> BuiltApp:
        folder = self._next()
        (folder / "app.py").write_text(code)
        zipped = self._next() / "code.zip"
        write_zip(folder, zipped)
        address = {"Fn::Sub": "https://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"} if url else None
        result = AppBuilt(
            framework=framework, python="3.12", architecture="x86_64", template=template, main=main, url=address,
            notifications=list(notifications), environment=environment or {}, health_path=health_path, lock=lock,
            retain=retain, log_days=log_days, shared_layer=None, asked=asked, release=release, flex=flex,
            proof=ProofMessage(init_ms=1, package_bytes=1, package_zip_bytes=1), files=[],
        )  # fmt: skip
        return BuiltApp(result, _checked(zipped), self.layer(layer) if layer else None)

    def bundle(self, template: Template | None = None, code: str = HELLO, **more: Any) -> Bundle:
        """A bundle; ``more`` as for `built`."""
        return assemble(
            self.app, self.built(template or rest_template(), code, **more), self._next(), self.surroundings
        )

    def everything(self) -> Bundle:
        hook = NotificationMessage(bucket="pictures", function="Work", events=["s3:ObjectCreated:*"], suffix=".png")
        return self.bundle(everything(), layer={"dep.py": "x = 1"}, notifications=(hook,))

    def _next(self) -> Path:
        self._made += 1
        folder = self.folder / str(self._made)
        folder.mkdir()
        return folder


def _checked(path: Path) -> CheckedFile:
    data = path.read_bytes()
    return CheckedFile(path, hashlib.sha256(data).hexdigest(), len(data))


def with_template(bundle: Bundle, template: Template) -> Bundle:
    """The same bundle with another template, as if somebody had tampered with it."""
    return replace(bundle, template=template)
