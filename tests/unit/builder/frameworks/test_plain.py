from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from building import make_source, quiet
from built_cases import Ended, build_case, builder_parts
from cases import Case, zipped
from drafts import ACCOUNT, APP, SURROUNDINGS, Maker, with_template
from mutants import mutants, refused_at_once

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.model import BucketNotification
from builder.compose import Parts
from builder.frameworks.functions import with_functions
from builder.frameworks.plain import Plain
from builder.lint.lint import lint
from builder.model import Built, Draft, Options
from builder.pipeline import as_message
from builder.source.functions import read_functions
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.template import TemplateView
from worker.deploy.rights.review import Review, review
from worker.model import Bundle, DeployTarget

HANDLER = "def lambda_handler(event, context):\n    return 'ok'\n"


def compiled(folder: Path, text: str = "", files: Mapping[str, str] | None = None) -> Draft:
    root, work = folder / "app", folder / "work"
    for name, content in {"lambda_function.py": HANDLER, "auto-lambda.toml": text, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    functions = read_functions("auto-lambda.toml", tomllib.loads(text).get("functions", {}))[0]
    source = replace(make_source(root, "plain", app=APP), options=Options(functions=functions))
    work.mkdir(exist_ok=True)
    return Plain().compile(Built(source, "", None), work, quiet)


def properties(draft: Draft, name: str) -> dict[str, Any]:
    found: dict[str, Any] = draft.template["Resources"][name]["Properties"]
    return found


def of(draft: Draft, kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in draft.template["Resources"].values() if one["Type"] == f"AWS::{kind}"]


def test_lambdas_own_default_handler_needs_no_settings(tmp_path: Path) -> None:
    draft = compiled(tmp_path, files={"shop/prices.py": "TEA = 3\n", "data.json": "{}"})

    assert draft.main == "App"
    assert properties(draft, "App")["Handler"] == "lambda_function.lambda_handler"
    assert sorted(path.relative_to(draft.code).as_posix() for path in draft.code.rglob("*.*")) == [
        "data.json", "lambda_function.py", "shop/prices.py",
    ]  # fmt: skip
    assert set(draft.template["Resources"]) == {"App", "AppRole"}, "nothing calls it unless it is asked for"
    assert not draft.known_front


def test_links_compiled_files_and_the_history_stay_behind(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "passwd").symlink_to("/etc/passwd")
    draft = compiled(tmp_path, files={"__pycache__/x.pyc": "", ".git/config": ""})

    assert [path.name for path in draft.code.iterdir()] == ["lambda_function.py"]


def test_what_a_function_is(tmp_path: Path) -> None:
    text = '[functions.resize-images]\nhandler = "images.resize"\nmemory = 2048\ntimeout = 90\n'
    function = properties(compiled(tmp_path, text), "ResizeImages")

    assert (function["Handler"], function["MemorySize"], function["Timeout"]) == ("images.resize", 2048, 90)


def test_the_function_with_a_url_stands_for_the_app(tmp_path: Path) -> None:
    text = '[functions.work]\nhandler = "w.run"\n[functions.web]\nhandler = "w.web"\nurl = true\n'
    assert compiled(tmp_path, text).main == "Web"


TRIGGERS = """
[functions.work]
handler = "work.run"
schedule = ["rate(5 minutes)", "rate(1 hour)"]
queue = ["jobs", "arn:aws:sqs:us-east-1:123456789012:more"]
topic = "news"
bucket = { name = "pictures", prefix = "in/", suffix = ".png" }
batch_size = 50
"""
JOBS = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:jobs"
MORE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:more"


def test_what_calls_a_function(tmp_path: Path) -> None:
    draft = compiled(tmp_path, TRIGGERS)

    assert [one["ScheduleExpression"] for one in of(draft, "Events::Rule")] == ["rate(5 minutes)", "rate(1 hour)"]
    sources = of(draft, "Lambda::EventSourceMapping")
    assert [one["EventSourceArn"] for one in sources] == [{"Fn::Sub": JOBS}, MORE]
    assert {(one["BatchSize"], one["MaximumBatchingWindowInSeconds"]) for one in sources} == {(50, 1)}
    (topic,) = of(draft, "SNS::Subscription")
    assert topic["TopicArn"] == {"Fn::Sub": JOBS.replace("sqs", "sns").replace("jobs", "news")}
    assert draft.notifications == (BucketNotification("pictures", "Work", ("s3:ObjectCreated:*",), "in/", ".png"),)
    lint(draft.template, {})


def test_aws_takes_no_window_for_a_queue_that_keeps_the_order(tmp_path: Path) -> None:
    draft = compiled(tmp_path, '[functions.work]\nhandler = "work.run"\nqueue = "jobs.fifo"\n')
    (source,) = of(draft, "Lambda::EventSourceMapping")
    assert "MaximumBatchingWindowInSeconds" not in source


def test_a_function_may_do_what_its_triggers_need_and_no_more(tmp_path: Path) -> None:
    draft = compiled(tmp_path, TRIGGERS + '[functions.other]\nhandler = "work.other"\n')

    def statements(role: str) -> dict[str, Any]:
        (policy,) = properties(draft, role)["Policies"]
        return {one["Action"][0].partition(":")[0]: one["Resource"] for one in policy["PolicyDocument"]["Statement"]}

    assert statements("WorkRole")["sqs"] == [{"Fn::Sub": JOBS}, MORE]
    assert set(statements("WorkRole")) == {"logs", "sqs"}
    assert set(statements("OtherRole")) == {"logs"}
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/shop-dev/Other"
    assert statements("OtherRole")["logs"] == [{"Fn::Sub": group}, {"Fn::Sub": f"{group}:*"}]


POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
WITH_POLICY = '[functions.work]\nhandler = "work.run"\npolicy = "policies/work.json"\n'


def test_a_policy_of_its_own(tmp_path: Path) -> None:
    draft = compiled(tmp_path, WITH_POLICY, {"policies/work.json": json.dumps(POLICY)})
    assert [one["PolicyDocument"] for one in properties(draft, "WorkRole")["Policies"]][1:] == [POLICY]


def test_a_policy_may_name_the_apps_own_account(tmp_path: Path) -> None:
    mine = "arn:${AWS::Partition}:s3:::al-shop-dev-${AWS::AccountId}/${aws:username}/*"
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [mine, "arn:aws:s3:::x/${aws:username}"]}
    draft = compiled(tmp_path, WITH_POLICY, {"policies/work.json": json.dumps({"Statement": statement})})
    (made,) = properties(draft, "WorkRole")["Policies"][1]["PolicyDocument"]["Statement"]
    assert made["Resource"] == [{"Fn::Sub": mine.replace("${aws:", "${!aws:")}, "arn:aws:s3:::x/${aws:username}"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, Code.MISSING_POLICY_FILE),
        ({"policies/work.json": "[]"}, Code.BAD_CONFIG),
        ({"policies/work.json": '{"Version": "2012-10-17"}'}, Code.BAD_CONFIG),
        ({"policies/work.json": "no JSON"}, Code.BAD_CONFIG),
        ({"policies/work.json": '{"Statement": ["s3:*"]}'}, Code.BAD_CONFIG),
    ],
)
def test_a_policy_that_is_none_is_refused(tmp_path: Path, files: dict[str, str], code: Code) -> None:
    with pytest.raises(AppError) as caught:
        compiled(tmp_path, WITH_POLICY, files)
    assert caught.value.code is code


@pytest.mark.parametrize("policy", ["../secret.json", "/etc/passwd", "work.py", "link.json"])
def test_a_policy_comes_from_the_app_itself(tmp_path: Path, policy: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "secret.json").write_text(json.dumps(POLICY))
    (tmp_path / "app" / "link.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(AppError):
        compiled(tmp_path, f'[functions.work]\nhandler = "work.run"\npolicy = "{policy}"\n', {"work.py": ""})


def test_it_passes_the_gate_with_grants_for_what_it_names(tmp_path: Path) -> None:
    draft = compiled(tmp_path, TRIGGERS)
    (tmp_path / "made").mkdir()
    bundle = Maker(tmp_path / "made").bundle(draft.template, url=False, main="Work", asked=False)
    pass_gate(bundle, SURROUNDINGS)

    closed = AppAccess(APP, rights="granted")
    with pytest.raises(AppError, match=r'grants: queues: \["arn:aws:sqs:us-east-1:123456789012:jobs"\]'):
        pass_gate(bundle, SURROUNDINGS, closed)
    queues, topics = (JOBS, MORE), (JOBS.replace("sqs", "sns").replace("jobs", "news"),)
    named = {"${AWS::Partition}": "aws", "${AWS::Region}": "us-east-1", "${AWS::AccountId}": ACCOUNT}

    def concrete(arns: tuple[str, ...]) -> tuple[str, ...]:
        for symbol, value in named.items():
            arns = tuple(arn.replace(symbol, value) for arn in arns)
        return arns

    pass_gate(bundle, SURROUNDINGS, replace(closed, grants=Grants(queues=concrete(queues), topics=concrete(topics))))


EVERY_SETTING = (
    TRIGGERS
    + """
url = true
disk = 1024
provisioned = 1
partial_batches = true
dead_letter_queue = "lost"
retries = 0
max_age = 60
"""
)


def test_whatever_a_plain_app_could_name_of_another_is_refused(tmp_path: Path) -> None:
    before = compiled(tmp_path, EVERY_SETTING)
    functions = read_functions("auto-lambda.toml", tomllib.loads(EVERY_SETTING)["functions"])[0]
    draft = with_functions(before, functions, "3.12")
    (tmp_path / "made").mkdir()
    bundle = Maker(tmp_path / "made").bundle(draft.template, url=False, main="Work", asked=False)
    pass_gate(bundle, SURROUNDINGS)
    target = replace(SURROUNDINGS, reserved=("pipeline-Queue-X1", "ledger", "pipeline-AlarmTopic-*"))
    space = Namespace(AppAccess(APP), target, TemplateView(bundle.template["Resources"]))
    tried = list(mutants(bundle.template))
    assert len(tried) > 1000
    assert [
        what
        for what, name, mutant in tried
        if not refused_at_once(space, mutant["Resources"][name], mutant)
        and passes(with_template(bundle, mutant), target)
    ] == []


def passes(bundle: Bundle, target: DeployTarget) -> bool:
    try:
        pass_gate(bundle, target)
    except AppError:
        return False
    return True


ROOT = Path(__file__).parents[4]


def rights_of_the_example(tmp_path: Path, grants: Grants) -> Review:
    """What the roles of the example ask for, in a pipeline where an app reaches its own and what is granted."""
    files = {path.name: path for path in (ROOT / "examples" / "orders").glob("**/*") if path.is_file()}
    text = files["auto-lambda.toml"].read_text()
    policies = {f"policies/{name}": files[name].read_text() for name in ("web.json", "work.json")}
    draft = compiled(tmp_path, text, policies)
    (tmp_path / "made").mkdir()
    bundle = Maker(tmp_path / "made").bundle(draft.template, url=False, main="Web", asked=False)
    return review(APP, bundle.template, None, grants, SURROUNDINGS.place)


def test_the_example_asks_for_its_queue_and_bucket_and_nothing_else(tmp_path: Path) -> None:
    refused = rights_of_the_example(tmp_path, Grants()).refused
    assert {(one.action, one.resource.rstrip("*")) for one in refused} == {
        ("s3:PutObject", "arn:aws:s3:::orders-example/results/"),
        *((action, ORDERS) for action in (*READ, "sqs:GetQueueUrl", "sqs:SendMessage")),
    }
    write = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::orders-example/results/*"}
    (tmp_path / "granted").mkdir()
    assert rights_of_the_example(tmp_path / "granted", Grants(queues=(ORDERS,), statements=(write,))).refused == ()


ORDERS = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-example"
READ = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with builder_parts(tmp_path_factory.mktemp("actions")) as made:
        yield made


NEVER_CALLED = """
def run(event, context):
    raise SystemExit("called")

other = run
"""
TWO = '[functions.work]\nhandler = "shop/work.run"\n[functions.other]\nhandler = "shop/work.other"\nqueue = "jobs"\n'


def built(folder: Path, parts: Parts, **files: str) -> Ended:
    named = {name.replace("__", "/") + (".toml" if "-" in name else ".py"): text for name, text in files.items()}
    (folder / "work").mkdir()
    return build_case(
        Case("plain", "live", named), zipped(Case("plain", "live", named), folder), parts, folder / "work"
    )


def test_every_handler_is_imported_and_none_is_called(tmp_path: Path, parts: Parts) -> None:
    ended = built(tmp_path, parts, shop__work=NEVER_CALLED, **{"auto-lambda": TWO})
    assert ended.code == "live", ended.told
    assert ended.package is not None
    assert ended.package.proof.init_ms is not None


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (TWO.replace("work.run", "works.run"), "handler-missing", "Work would call shop.works.run"),
        (TWO.replace("work.other", "work.another"), "handler-missing", "functions.other calls shop/work.another"),
        (
            TWO.replace("shop/work.other", "shop/nowhere.other"),
            "handler-missing",
            "Other would call shop.nowhere.other",
        ),
    ],
)
def test_a_handler_that_is_not_there(tmp_path: Path, parts: Parts, text: str, code: str, told: str) -> None:
    ended = built(tmp_path, parts, shop__work=NEVER_CALLED, **{"auto-lambda": text})
    assert (ended.code, told in ended.message) == (code, True), ended.told


def test_a_module_that_does_not_import(tmp_path: Path, parts: Parts) -> None:
    ended = built(tmp_path, parts, lambda_function="import nowhere_to_be_found\n" + HANDLER)
    assert ended.code == "app-does-not-import", ended.told
    assert "nowhere_to_be_found" in ended.told


WITH_URL = "[functions.app]\nurl = true\n"
PATH = 'health_path = "/up"\n'


@pytest.mark.parametrize(("text", "asked"), [("", False), (WITH_URL, False), (PATH, False), (PATH + WITH_URL, True)])
def test_its_url_is_asked_only_for_a_path_that_its_author_names(
    tmp_path: Path, parts: Parts, text: str, asked: bool
) -> None:
    ended = built(tmp_path, parts, lambda_function=HANDLER, **{"auto-lambda": text})
    assert ended.package is not None, ended.told
    with ExitStack() as opened:
        message, _ = as_message(ended.package, opened)
    assert message.asked is asked
    assert (message.url is not None) is ("url" in text)


def test_all_that_the_files_show_to_be_wrong_is_found_at_once(tmp_path: Path) -> None:
    text = """[functions.one]\nhandler = "orders.handle"\npolicy = "nowhere.json"\n[functions.two]\nhandler = "old.run"
    [functions.three]\nhandler = "orders.run"\n[functions.four]\nhandler = "package.run"
    """
    (tmp_path / "orders.py").write_text("def run(event, context): ...")
    (tmp_path / "old.py").write_text("print 'x'")
    options = Options(functions=read_functions("auto-lambda.toml", tomllib.loads(text)["functions"])[0])
    found = list(Plain().problems(tmp_path, "dev", APP, options))
    assert [one.code for one in found] == [Code.MISSING_POLICY_FILE, Code.HANDLER_MISSING, Code.SYNTAX_ERROR]
    assert "functions.one calls orders.handle, but orders.py defines no 'handle'" in found[1].message
