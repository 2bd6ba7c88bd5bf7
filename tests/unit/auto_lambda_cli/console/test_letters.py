from __future__ import annotations

import pytest
from console import Page, PipelineParts


@pytest.fixture(autouse=True)
def put_aside(parts: PipelineParts) -> None:
    parts.put_aside("apps/dev/shop.zip", code="ends-workers", reason="a worker died\x1b[31m of it", attempts="5")
    parts.put_aside("apps/prod/quotes.zip")


def test_dead_letters_are_listed_with_their_reason_and_stay(page: Page, parts: PipelineParts) -> None:
    for _ in range(2):  # they are visible again after the first
        listed = {letter["apps"][0]: letter for letter in page.get("api/dead-letters").value("letters")}
        assert listed.keys() == {"dev/shop", "prod/quotes"}
        assert (listed["dev/shop"]["code"], listed["dev/shop"]["attempts"]) == ("ends-workers", 5)
        assert listed["dev/shop"]["reason"] == "a worker died of it"
    assert parts.received() == []


def test_those_of_one_app_are_sent_back(page: Page, parts: PipelineParts) -> None:
    answer = page.post("api/dead-letters/redrive", {"app": "prod/quotes"})
    assert (answer.status, answer.json) == (202, {"sent": 1})
    (message,) = parts.received()
    assert "apps/prod/quotes.zip" in message["Body"]
    assert [letter["apps"] for letter in page.get("api/dead-letters").value("letters")] == [["dev/shop"]]


def test_one_is_sent_back_by_its_id(page: Page, parts: PipelineParts) -> None:
    letters = page.get("api/dead-letters").value("letters")
    chosen = next(letter for letter in letters if letter["apps"] == ["dev/shop"])
    assert page.post("api/dead-letters/redrive", {"id": chosen["id"]}).json == {"sent": 1}
    (message,) = parts.received()
    assert "apps/dev/shop.zip" in message["Body"]


def test_all_are_sent_back(page: Page) -> None:
    assert page.post("api/dead-letters/redrive").json == {"sent": 2}
    assert page.get("api/dead-letters").value("letters") == []


def test_without_a_dead_letter_queue_that_is_said(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL")
    problem = page.get("api/dead-letters").problem("letters")
    assert problem["code"] == "unset"
    assert "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL" in problem["message"]
