from __future__ import annotations

from typing import Any

from console import Page
from seen_pipeline import SHOP, SeenPipeline

from auto_lambda.keys import App


def test_apps_are_listed_by_stage_with_what_is_live(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.go_live(pipeline.drop())
    pipeline.drop(App("prod", "quotes"))
    stages = page.get("api/apps").value("apps")["stages"]
    assert [stage["stage"] for stage in stages] == ["dev", "prod"]
    shop, quotes = stages[0]["apps"][0], stages[1]["apps"][0]
    assert (shop["name"], shop["status"], shop["live"], shop["framework"]) == ("shop", "live", True, "zappa")
    assert shop["since"]
    assert (quotes["status"], quotes["live"], quotes["app"]) == ("queued", False, {"stage": "prod", "name": "quotes"})


def test_of_a_broken_app_it_is_told_since_when_the_earlier_release_is_live(page: Page, pipeline: SeenPipeline) -> None:
    first = pipeline.drop()
    pipeline.go_live(first)
    error = {"code": "does-not-start", "message": "no module named x", "hint": "add it"}
    serving = {"url": "https://shop.example/", "function": "shop-dev", "version": "1", "upload": first}
    broken: dict[str, Any] = {"framework": "chalice", "python": "3.9", "by": {"principal": "AROAEXAMPLE:ben"}}
    pipeline.tell(status="failed", error=error, serving=serving, upload={"version": pipeline.drop()}, **broken)
    (row,) = page.get("api/apps").value("apps")["stages"][0]["apps"]
    assert (row["status"], row["live"], row["release"], row["version"]) == ("failed", True, first, "1")
    assert row["since"].startswith("2026-01-02T12:01")
    assert (row["by"], row["framework"], row["python"]) == ("AROAEXAMPLE:anna from 192.0.2.7", "zappa", "3.12")
    assert row["error"]["code"] == "does-not-start"


def test_one_app_is_told_with_its_receipt(page: Page, pipeline: SeenPipeline) -> None:
    version = pipeline.drop()
    pipeline.go_live(version, timings={"fetch": 0.1, "build": 2.5, "verify": 0.4})
    answer = page.get("api/apps/dev/shop")
    assert answer.value("state")["live"]["release"] == version
    receipt = answer.value("receipt")
    assert receipt["release"] == version
    assert receipt["raw"]["app"] == "shop"
    steps = {it["step"]: (it["status"], it["seconds"]) for it in receipt["steps"]}
    assert steps["build"] == ("done", 2.5)
    assert steps["prove"] == ("skipped", None)


def test_a_running_step_says_since_when(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    pipeline.tell(status="building", step="build", timings={"fetch": 0.1}, url=None)
    answer = page.get("api/apps/dev/shop")
    steps = {it["step"]: it for it in answer.value("receipt")["steps"]}
    assert steps["build"]["status"] == "running"
    assert steps["build"]["since"] == "2026-01-02T03:04:05.678+00:00"
    assert steps["deploy"]["status"] == "waiting"
    assert answer.value("state")["under_way"]["status"] == "building"


def test_an_app_that_nobody_knows_is_named_with_the_nearest(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    problem = page.get("api/apps/dev/shpo").problem("state")
    assert (problem["code"], problem["hint"]) == ("no-such-app", "Is it shop?")


def test_a_name_that_no_app_can_have_is_refused(page: Page) -> None:
    answer = page.get("api/apps/dev/Shop_1")
    assert (answer.status, answer.error["code"]) == (400, "bad-name")
    assert "'shop-1'" in answer.error["message"]


def test_releases_are_listed(page: Page, pipeline: SeenPipeline) -> None:
    first, second = pipeline.drop(), pipeline.drop()
    pipeline.go_live(first)
    pipeline.go_live(second, before=first)
    listed = page.get("api/apps/dev/shop/releases").value("releases")["listed"]
    assert {one["id"]: (one["live"], one["outcome"]) for one in listed} == {
        second: (True, "live"), first: (False, "live"),
    }  # fmt: skip


def test_a_receipt_with_anything_in_it_is_still_json(page: Page, pipeline: SeenPipeline) -> None:
    pipeline.drop()
    body = b'{"schema": 1, "status": "failed", "x": NaN, "error": {"code": "\\ud800", "message": "<script>"}}'
    pipeline.s3.put_object(Bucket="uploads", Key="apps/dev/shop.receipt.json", Body=body)
    receipt = page.get("api/apps/dev/shop").value("receipt")
    assert receipt["raw"]["x"] is None
    assert receipt["error"]["message"] == "<script>"
    assert receipt["error"]["help"] is None
    assert page.get("api/apps").status == 200


def test_secrets_are_listed_without_a_value(page: Page) -> None:
    import boto3

    ssm = boto3.client("ssm")
    from auto_lambda.namespace import configuration_path

    path = configuration_path(SHOP)
    ssm.put_parameter(Name=f"{path}/GREETING", Value="hello", Type="String")
    ssm.put_parameter(Name=f"{path}/API_KEY", Value="hunter2-hunter2", Type="SecureString")
    answer = page.get("api/apps/dev/shop/configuration")
    assert [(it["name"], it["value"], it["secret"]) for it in answer.value("configuration")] == [
        ("API_KEY", None, True), ("GREETING", "hello", False),
    ]  # fmt: skip
    assert b"hunter2" not in answer.body
