"""A page for people: what each app is doing. Every text in it is escaped, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top }
.bar { display: flex; height: .6rem; min-width: 6rem; border-radius: .3rem; overflow: hidden; background: #2a78d6 }
.bar i { background: #1baf7a }
.stuck td { color: light-dark(#b3261e, #f2b8b5) }
small { opacity: .75 }
"""
_HEAD = ("app", "phase", "traffic", "tasks", "since", "next")


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in _HEAD)
    body = "".join(map(_row, rows)) or f"<tr><td colspan='{len(_HEAD)}'>No app has a [flex] section yet.</td></tr>"
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta http-equiv='refresh' content='15'>"
        "<meta name='viewport' content='width=device-width'><title>Flex</title>"
        f"<style>{_STYLE}</style></head><body><h1>Flex</h1><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p><small>Green: on Fargate. Blue: on Lambda.</small></p></body></html>"
    )


def _row(row: Mapping[str, Any]) -> str:
    fargate = int(row.get("weights", {}).get("fargate", 0))
    tasks = row.get("tasks", {})
    bar = f"<div class='bar'><i style='width:{fargate}%'></i></div>{fargate} % on Fargate"
    counts = f"{_text(tasks.get('healthy', '?'))} healthy, {_text(tasks.get('desired', '?'))} wanted"
    why = f"{_text(row.get('next') or '')} <small>{_text(row.get('why', ''))}</small>"
    name = f"{_text(row['app'])} <small>{_text(row['stage'])}<br>{_text(row.get('domain', ''))}</small>"
    cells = (name, _phase(row), bar, counts, _text(row.get("since", "")), why)
    kind = " class='stuck'" if row["stuck"] else ""
    return f"<tr{kind}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _phase(row: Mapping[str, Any]) -> str:
    mode = row.get("mode", "auto")
    by_hand = "" if mode == "auto" else f" <small>{_text(mode)}, by hand</small>"
    return f"{_text(row['phase'])}{by_hand}"


def _text(value: object) -> str:
    return escape(str(value))
