"""Each example, dropped as a zip, really answers."""

from __future__ import annotations

import json
import struct
import zlib

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from e2e_apps import ORDERS
from e2e_stack import Answer, Drop, Stack, until


@pytest.fixture
def url(stack: Stack, drops: dict[str, Drop], request: pytest.FixtureRequest) -> str:
    """The live URL of the app whose name the test bears."""
    name = request.node.name.removeprefix("test_").split("_")[0]
    return str(stack.live(drops[name])["url"]).rstrip("/")


def test_quotes_answers_with_proverbs(stack: Stack, url: str) -> None:
    assert stack.http(f"{url}/quotes/2").json == {"number": 2, "text": "Measure twice, cut once."}
    assert stack.http(f"{url}/").json in stack.http(f"{url}/quotes").json
    assert [found["number"] for found in stack.http(f"{url}/search?word=stone").json] == [1, 4]


def test_quotes_says_what_is_wrong_with_a_request(stack: Stack, url: str) -> None:
    assert stack.http(f"{url}/quotes/99").status == 404
    assert stack.http(f"{url}/search?word=x").status == 422


def test_thumbnails_draws_a_demo(stack: Stack, url: str) -> None:
    assert "POST a picture" in stack.http(f"{url}/").json["use"]
    demo = stack.http(f"{url}/demo").json
    assert (demo["picture"], demo["thumbnail"]) == ([640, 480], [128, 96])


def draw_png(width: int, height: int) -> bytes:
    """A grey picture, by hand: this side of the stack has no library for pictures."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("format_", "begins"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff")])
def test_thumbnails_makes_a_picture_small(stack: Stack, url: str, format_: str, begins: bytes) -> None:
    answer = stack.http(
        f"{url}/?size=60&format={format_}",
        "POST",
        body=draw_png(300, 150),
        headers={"Content-Type": "image/png", "Accept": f"image/{format_}"},
    )
    assert (answer.status, answer.headers["Content-Type"]) == (200, f"image/{format_}")
    assert answer.body.startswith(begins)
    if format_ == "png":
        assert struct.unpack(">II", answer.body[16:24]) == (60, 30)


def test_thumbnails_refuses_what_is_no_picture(stack: Stack, url: str) -> None:
    answer = stack.http(f"{url}/", "POST", body=b"text", headers={"Content-Type": "image/png"})
    assert answer.status == 400
    assert "not a picture" in answer.json["Message"]


def test_statistics_of_numbers_and_of_csv(stack: Stack, url: str) -> None:
    assert stack.http(f"{url}/").json["sample"]["celsius"]["mean"] == 20.75
    numbers = stack.http(
        f"{url}/", "POST", body=b'{"numbers": [1, 2, 3, 6]}', headers={"Content-Type": "application/json"}
    )
    assert numbers.json["numbers"]["mean"] == 3
    csv = stack.http(f"{url}/", "POST", body=b"a,b\n1,x\n5,y\n", headers={"Content-Type": "text/csv"})
    assert csv.json == {"a": csv.json["a"]}
    assert csv.json["a"]["max"] == 5


def sign(stack: Stack, url: str, form: bytes) -> Answer:
    return stack.http(f"{url}/", "POST", body=form, headers={"Content-Type": "application/x-www-form-urlencoded"})


def test_guestbook_keeps_an_entry(stack: Stack, url: str) -> None:
    assert "<h1>Guestbook</h1>" in stack.http(f"{url}/").text
    answer = sign(stack, url, b"name=A+guest&text=It+was+%3Cgood%3E+here")
    assert (answer.status, answer.headers["Location"]) == (302, "?thanks")
    assert "It was &lt;good&gt; here" in stack.http(f"{url}/?thanks").text


def test_guestbook_asks_for_what_is_missing(stack: Stack, url: str) -> None:
    answer = sign(stack, url, b"name=A+guest")
    assert answer.status == 400
    assert "This field is required" in answer.text


def test_guestbook_runs_commands_of_manage_py(stack: Stack, url: str) -> None:
    assert url
    done = stack.cli("run", "guestbook", "--", "showmigrations")
    assert done.returncode == 0, done.stderr
    assert "[X] 0001_initial" in done.stderr


@pytest.mark.parametrize("example", ["quotes", "thumbnails", "guestbook", "statistics", "events"])
def test_what_was_deployed_is_sound_cloudformation(stack: Stack, drops: dict[str, Drop], example: str) -> None:
    stack.live(drops[example])
    body = stack.client("cloudformation").get_template(StackName=f"al-{example}-dev")["TemplateBody"]
    text = body if isinstance(body, str) else json.dumps(body)
    found = lint(text, config=ManualArgs(regions=["us-east-1"]))
    assert [f"{match.rule.id} {match.message}" for match in found] == []


def test_orders_takes_an_order_at_its_url_and_works_it_off_the_queue(stack: Stack, url: str) -> None:
    bad = {"number": 8}
    assert stack.http(f"{url}/", "POST", body=b"tea").status == 400
    for order in (bad, {"number": 7, "lines": [{"price": 2, "count": 3}]}):
        assert stack.http(f"{url}/", "POST", body=json.dumps(order).encode()).json == {"taken": order["number"]}
    done = until(lambda: stack.get_json(ORDERS, "results/7.json"), 40, lambda: "order 7 was not worked off")
    assert done == {"number": 7, "total": 6}
    assert stack.get_json(ORDERS, "results/8.json") is None
    queue = stack.sqs.get_queue_url(QueueName=ORDERS)["QueueUrl"]
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> int:
        found = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counts)["Attributes"]
        return sum(map(int, found.values()))

    assert until(lambda: left() == 1, 40, lambda: f"{left()} messages are left"), "only what failed comes again"
    stack.sqs.purge_queue(QueueUrl=queue)


def test_orders_functions_are_as_their_settings_say(stack: Stack, url: str) -> None:
    assert url
    work, web = stack.function("orders", "work"), stack.function("orders", "web")
    configuration = stack.lambda_.get_function_configuration(FunctionName=work)
    assert (configuration["MemorySize"], configuration["Timeout"]) == (256, 5)
    (source,) = stack.lambda_.list_event_source_mappings(FunctionName=f"{work}:live")["EventSourceMappings"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    (web_role, work_role) = (
        stack.lambda_.get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2] for name in (web, work)
    )
    assert web_role != work_role
    assert stack.client("iam").list_role_policies(RoleName=web_role)["PolicyNames"] == ["auto-lambda", "own"]
