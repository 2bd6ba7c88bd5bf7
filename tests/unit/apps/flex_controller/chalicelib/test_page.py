"""The page for people: what each app does, and no text of an app as HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flex_controller.chalicelib.page import HEADERS, page
from hypothesis import given
from hypothesis import strategies as st

ROW: dict[str, Any] = {
    "app": "shop", "stage": "dev", "domain": "shop.example.com", "phase": "both", "mode": "up",
    "weights": {"lambda": 0, "fargate": 100}, "tasks": {"healthy": 2, "desired": 3}, "since": "2026-11-29T12:00",
    "next": None, "why": "clients may still hold the old record", "stuck": False,
}  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(f"{tag} {attrs}")


def tags(text: str) -> list[str]:
    parser = Tags()
    parser.feed(text)
    return parser.tags


def test_it_shows_what_each_app_does() -> None:
    told = page([ROW])
    for text in ("shop.example.com", "both", "up, by hand", "100 % on Fargate", "2 healthy, 3 wanted", "old record"):
        assert text in told


def test_without_apps_it_says_so() -> None:
    assert "No app has a [flex] section yet" in page([])


def test_an_app_that_could_not_be_looked_at_is_shown_too() -> None:
    told = page([{"app": "odd", "stage": "dev", "phase": "not known", "next": None, "why": "odd", "stuck": True}])
    assert "class='stuck'" in told


@given(st.text(alphabet="<>&\"'abc/= "))
def test_no_text_becomes_html(text: str) -> None:
    spoilt = {**ROW, **dict.fromkeys(("app", "stage", "domain", "phase", "mode", "since", "next", "why"), text)}
    plain = {**ROW, "mode": "auto" if text == "auto" else "up", "next": "x"}
    assert tags(page([spoilt])) == tags(page([plain]))


def test_it_follows_light_and_dark_and_runs_nothing() -> None:
    assert "color-scheme: light dark" in page([])
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "script" not in page([ROW])
