from __future__ import annotations

import io
import json
import os
import pwd
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from another_user import NOBODY, another_user
from botocore.config import Config
from botocore.exceptions import ClientError

from auto_lambda.aws.urls import callable_url
from auto_lambda.tools import interpreters
from auto_lambda_cli.local_stack.embedded import EmbeddedAws, EmbeddedAwsError, preferred_minor
from auto_lambda_cli.running_stacks import KEY_ID, answers

HANDLER = """
import code, os, sys, tempfile
code.InteractiveConsole  # the standard library's module, not the folder that the emulator keeps our code in
def handler(event, context):
    import boto3
    return {
        "python": "%d.%d" % sys.version_info[:2], "environ": dict(os.environ), "temporary": tempfile.mkdtemp()
    }
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    with EmbeddedAws.start(tmp_path_factory.mktemp("aws")) as running:
        yield running


def client(aws: EmbeddedAws, service: str, secret: str = "test", **options: Any) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test" if secret == "test" else KEY_ID,
        aws_secret_access_key=secret,
        **options,
    )


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name.replace('_in_', '/')}.py", content)
    return buffer.getvalue()


def invoke(aws: EmbeddedAws, runtime: str) -> dict[str, Any]:
    functions = client(aws, "lambda")
    name = runtime.replace(".", "")
    functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Role="arn:aws:iam::123456789012:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(app=HANDLER, __init__="")},
    )
    answer: dict[str, Any] = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
    return answer


def ended(pid: int, patience: float = 10.0) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("minor", sorted(interpreters()))
def test_a_function_runs_under_the_python_that_its_runtime_names(aws: EmbeddedAws, minor: str) -> None:
    assert invoke(aws, f"python{minor}")["python"] == minor


def test_a_runtime_that_the_machine_lacks_is_named_in_the_answer(aws: EmbeddedAws) -> None:
    assert "this machine has no python3.8" in invoke(aws, "python3.8")["errorMessage"]


def test_a_function_inherits_nothing_of_the_starter_or_the_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_STARTER", "1")
    with EmbeddedAws.start(tmp_path) as aws:
        environ = invoke(aws, f"python{preferred_minor()}")["environ"]
    assert not {"OF_THE_STARTER", "HOME", "GATEWAY_PORT", "TMPDIR", "VIRTUAL_ENV"} & environ.keys()
    assert environ["AWS_ENDPOINT_URL"] == aws.endpoint


def test_a_function_has_temporary_files_of_its_own(tmp_path: Path) -> None:
    with EmbeddedAws.start(tmp_path) as aws:
        temporary = Path(invoke(aws, f"python{preferred_minor()}")["temporary"])
        assert temporary.is_dir()
        assert temporary.is_relative_to(tmp_path)
    assert not temporary.exists()


def test_functions_share_a_layers_files_and_see_its_newest_version(aws: EmbeddedAws) -> None:
    functions = client(aws, "lambda")
    layers = [
        functions.publish_layer_version(LayerName="shared", Content={"ZipFile": zipped(python_in_lib=f"x = {number}")})
        for number in (1, 2)
    ]
    code = "import lib, os\ndef handler(event, context): return [lib.x, os.path.realpath(lib.__file__)]\n"

    def answer(name: str, layer: int) -> Any:
        functions.create_function(
            FunctionName=name,
            Runtime=f"python{preferred_minor()}",
            Role="arn:aws:iam::123456789012:role/any",
            Handler="app.handler",
            Code={"ZipFile": zipped(app=code)},
            Layers=[layers[layer]["LayerVersionArn"]],
        )
        return json.loads(functions.invoke(FunctionName=name)["Payload"].read())

    one, two, newer = answer("one", 0), answer("two", 0), answer("newer", 1)

    assert one == two
    assert (one[0], newer[0]) == (1, 2)


def test_a_large_layer_is_whole(aws: EmbeddedAws) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"python/deep/{number % 7}/below/{number}.txt", str(number) * 1_000_000)
    functions = client(aws, "lambda")
    layer = functions.publish_layer_version(LayerName="large", Content={"ZipFile": buffer.getvalue()})
    code = """
import pathlib
def handler(event, context):
    return {path.stem: path.stat().st_size for path in pathlib.Path(event).rglob("*.txt")}
"""
    functions.create_function(
        FunctionName="large",
        Runtime=f"python{preferred_minor()}",
        Role="arn:aws:iam::123456789012:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(app="import deep, os\n" + code.replace("(event)", "(list(deep.__path__)[0])"))},
        Layers=[layer["LayerVersionArn"]],
    )
    answer = functions.invoke(FunctionName="large")
    found = json.loads(answer["Payload"].read())
    assert found == {str(number): len(str(number)) * 1_000_000 for number in range(40)}


def test_a_part_of_an_objects_version_can_be_read(aws: EmbeddedAws) -> None:
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket="parts")
    s3.put_bucket_versioning(Bucket="parts", VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket="parts", Key="k", Body=b"0123456789")["VersionId"]
    s3.put_object(Bucket="parts", Key="k", Body=b"newer")
    answer = s3.get_object(Bucket="parts", Key="k", VersionId=old, Range="bytes=2-4")
    assert (answer["Body"].read(), answer["ContentRange"], answer["ContentLength"]) == (b"234", "bytes 2-4/10", 3)
    with pytest.raises(ClientError, match="416"):
        s3.get_object(Bucket="parts", Key="k", VersionId=old, Range="bytes=10-")


def test_the_event_of_an_object_names_the_user_of_this_machine(aws: EmbeddedAws) -> None:
    s3, sqs = client(aws, "s3"), client(aws, "sqs")
    url = sqs.create_queue(QueueName="announced")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="announcing")
    notified = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="announcing", NotificationConfiguration=notified)
    s3.put_object(Bucket="announcing", Key="k", Body=b"1")
    deadline, told = time.monotonic() + 10, ""
    while "ObjectCreated" not in told and time.monotonic() < deadline:
        told = next((it["Body"] for it in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])), "")
    assert json.loads(told)["Records"][0]["userIdentity"] == {"principalId": pwd.getpwuid(os.getuid()).pw_name}


SITE = """
def handler(event, context):
    host = event["headers"]["host"]
    headers = {"Location": f"http://{host}/api/end" if event["path"] == "/absolute" else "/api/end"}
    return {"statusCode": 302, "headers": headers, "body": event["path"]}
"""
SITE_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:site"


def rest_api(origin: str, *paths: str) -> str:
    """A template of an API, whose paths answer preflights and call a function."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{SITE_FUNCTION}/invocations"
    allowed = {"method.response.header.Access-Control-Allow-Origin": f"'{origin}'"}
    preflight = {
        "type": "mock", "passthroughBehavior": "when_no_match",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200", "responseParameters": allowed}},
    }  # fmt: skip
    proxy = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}
    item = {
        "get": {"x-amazon-apigateway-integration": proxy},
        "options": {"x-amazon-apigateway-integration": preflight},
    }
    document = {"swagger": "2.0", "info": {"title": "site", "version": "1"}, "paths": dict.fromkeys(paths, item)}
    api = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": document}}
    deployment = {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}}
    stage = {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}, "StageName": "api"}
    resources = {"Api": api, "Deployment": deployment, "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": stage}}
    return json.dumps({"Resources": resources, "Outputs": {"Id": {"Value": {"Ref": "Api"}}}})


def test_an_api_keeps_its_address_when_its_routes_change_and_redirects_stay_at_it(aws: EmbeddedAws) -> None:
    client(aws, "lambda").create_function(
        FunctionName="site", Runtime=f"python{preferred_minor()}", Role="arn:aws:iam::123456789012:role/any",
        Handler="app.handler", Code={"ZipFile": zipped(app=SITE)},
    )  # fmt: skip
    stacks = client(aws, "cloudformation")

    def deploy(change: Any, waiter: str, template: str) -> str:
        change(StackName="site", TemplateBody=template)
        stacks.get_waiter(waiter).wait(StackName="site", WaiterConfig={"Delay": 1})
        (output,) = stacks.describe_stacks(StackName="site")["Stacks"][0]["Outputs"]
        return str(output["OutputValue"])

    api = deploy(stacks.create_stack, "stack_create_complete", rest_api("https://a.example", "/", "/gone"))
    changed = rest_api("https://b.example", "/", "/absolute")
    assert deploy(stacks.update_stack, "stack_update_complete", changed) == api
    folder = f"/_aws/execute-api/{api}/api"
    by_path, by_name = f"{aws.endpoint}{folder}", f"{api}.execute-api.localhost:{aws.endpoint.rpartition(':')[2]}"
    assert ask(f"{by_path}/gone").status == 403

    preflight = ask(by_path, "OPTIONS", Origin="https://b.example", Access_Control_Request_Method="GET")
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://b.example"
    assert ask(by_path).headers["Location"] == f"{folder}/end"
    assert ask(f"{by_path}/absolute").headers["Location"] == f"{by_path}/end"
    assert ask(f"{aws.endpoint}/api/", Host=by_name).headers["Location"] == "/api/end"
    assert ask(f"{aws.endpoint}/api/absolute", Host=by_name).headers["Location"] == f"http://{by_name}/api/end"


def test_a_link_of_an_apps_page_to_its_own_root_is_sent_on_and_no_other_pages_is(aws: EmbeddedAws) -> None:
    page = f"{aws.endpoint}/_aws/execute-api/ab12/dev/page"
    answer = ask(f"{aws.endpoint}/dev/img?a=b", Referer=page, Sec_Fetch_Site="same-origin")
    assert (answer.status, answer.headers["Location"]) == (307, "/_aws/execute-api/ab12/dev/img?a=b")
    assert ask(f"{aws.endpoint}/dev/img", Referer="https://evil.example/", Sec_Fetch_Site="cross-site").status == 403


def test_the_emulators_own_paths_are_no_apps(aws: EmbeddedAws) -> None:
    client(aws, "s3").create_bucket(Bucket="kept")
    host = f"ab12.execute-api.localhost:{aws.endpoint.rpartition(':')[2]}"
    for path in ("/_ministack/reset", "/kept"):
        assert ask(f"{aws.endpoint}{path}", "POST", Host=host, Origin="https://evil.example").status in {403, 404}
    client(aws, "s3").head_bucket(Bucket="kept")


def ask(url: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib3.request(method, url, headers=named, retries=False)


def test_another_user_can_put_nothing_into_a_bucket_without_the_secret(aws: EmbeddedAws) -> None:
    client(aws, "s3").create_bucket(Bucket="drops")
    others = client(aws, "s3")
    with another_user(), pytest.raises(ClientError, match=r"AccessDenied.*must sign requests"):
        others.put_object(Bucket="drops", Key="apps/shop.zip", Body=b"zip")
    assert client(aws, "s3").list_objects_v2(Bucket="drops")["KeyCount"] == 0


def test_a_process_of_another_user_can_neither_drop_a_zip_nor_send_a_message(aws: EmbeddedAws) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a process of another user")
    client(aws, "s3").create_bucket(Bucket="dropped")
    queue = client(aws, "sqs").create_queue(QueueName="dropped")["QueueUrl"]
    attack = """
import sys, urllib.error, urllib.request as http
endpoint, queue = sys.argv[1:]
zip = http.Request(f"{endpoint}/dropped/apps/shop.zip", b"zip", method="PUT")
message = http.Request(queue, b"Action=SendMessage&MessageBody=x", method="POST")
reset = http.Request(f"{endpoint}/_ministack/reset", b"", method="POST")
for request in (zip, message, reset):
    try:
        print(http.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", attack, aws.endpoint, queue], user=NOBODY, group=NOBODY, extra_groups=[],
        cwd="/", env={}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["403"] * 3
    assert client(aws, "s3").list_objects_v2(Bucket="dropped")["KeyCount"] == 0
    assert "Messages" not in client(aws, "sqs").receive_message(QueueUrl=queue)


def test_another_user_with_the_secret_can(aws: EmbeddedAws) -> None:
    buckets, queues = client(aws, "s3", aws.secret), client(aws, "sqs", aws.secret)
    with another_user():
        buckets.create_bucket(Bucket="lent")
        buckets.put_object(Bucket="lent", Key="apps/shop.zip", Body=b"zip")
        url = queues.create_queue(QueueName="lent")["QueueUrl"]
        queues.send_message(QueueUrl=url, MessageBody="{}")
    assert client(aws, "sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "{}"
    assert client(aws, "s3").get_object(Bucket="lent", Key="apps/shop.zip")["Body"].read() == b"zip"


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Host": "evil.example:4566"},
])  # fmt: skip
def test_a_web_page_can_neither_read_nor_change_anything(aws: EmbeddedAws, headers: dict[str, str]) -> None:
    client(aws, "s3").create_bucket(Bucket="private")
    for method in ("PUT", "GET", "OPTIONS", "DELETE"):
        answer = ask(f"{aws.endpoint}/private/apps/shop.zip", method, **headers)
        assert (answer.status, "access-control-allow-origin" in answer.headers) == (403, False)
    assert ask(f"{aws.endpoint}/_ministack/reset", "POST", **headers).status == 403
    assert client(aws, "s3").list_objects_v2(Bucket="private")["KeyCount"] == 0


def test_no_answer_is_meant_for_web_pages(aws: EmbeddedAws) -> None:
    answer = ask(f"{aws.endpoint}/", "OPTIONS")
    assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []


def test_a_web_page_may_use_a_presigned_url(aws: EmbeddedAws) -> None:
    client(aws, "s3").create_bucket(Bucket="shared")
    for version in ("s3", "s3v4"):
        config = Config(signature_version=version)
        good, forged = (
            client(aws, "s3", secret, config=config).generate_presigned_url(
                "put_object", Params={"Bucket": "shared", "Key": version}
            )
            for secret in (aws.secret, "test")
        )
        page = {"Origin": "https://shop.example"}
        assert ask(good, "OPTIONS", **page).headers["access-control-allow-origin"] == "*"
        assert ask(good, "PUT", **page).status == 200
        assert ask(forged, "PUT", **page).status == 403
        assert ask(forged, "PUT").status == 200, "a program of our own user needs no secret"


def test_an_apps_url_is_open_to_everybody_and_its_cors_is_its_own(aws: EmbeddedAws) -> None:
    functions = client(aws, "lambda")
    code = "import boto3\ndef handler(event, context): return boto3.client('s3').generate_presigned_url("
    code += "'put_object', Params={'Bucket': 'of-the-app', 'Key': 'upload'})"
    functions.create_function(
        FunctionName="open",
        Runtime=f"python{preferred_minor()}",
        Role="arn:aws:iam::123456789012:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(app=code)},
    )
    cors = {"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET"]}
    made = functions.create_function_url_config(FunctionName="open", AuthType="NONE", Cors=cors)
    url = callable_url(made["FunctionUrl"], aws.endpoint)
    page = {"Origin": "https://shop.example", "Sec_Fetch_Site": "cross-site"}
    with another_user():
        answer = ask(url, **page)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    client(aws, "s3").create_bucket(Bucket="of-the-app")
    assert ask(answer.data.decode(), "PUT", **page).status == 200, "the app signs with the stack's secret"


def test_leaving_the_context_ends_the_emulator_with_its_functions(tmp_path: Path) -> None:
    with EmbeddedAws.start(tmp_path) as aws:
        invoke(aws, f"python{preferred_minor()}")
        assert answers(aws.endpoint)
    assert ended(aws.pid)
    assert not answers(aws.endpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["aws.log"]


def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from auto_lambda_cli.local_stack.embedded import EmbeddedAws\n"
        "aws = EmbeddedAws.start(Path(sys.argv[1])); print(aws.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    assert ended(pid)


def test_a_taken_port_is_told_at_once(aws: EmbeddedAws, tmp_path: Path) -> None:
    port = int(aws.endpoint.rpartition(":")[2])
    with pytest.raises(OSError, match=rf"port {port} on 127\.0\.0\.1: Address already in use"):
        EmbeddedAws.start(tmp_path, port)


def test_an_emulator_that_dies_at_start_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('nothing works today')")
    monkeypatch.setattr("auto_lambda_cli.local_stack.embedded._LAUNCHER", broken)
    with pytest.raises(EmbeddedAwsError, match=r"(?s)exited with 1.*nothing works today"):
        EmbeddedAws.start(tmp_path / "aws")
