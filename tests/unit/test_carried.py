"""What the settings pages call carried is used by an app that the end-to-end tests deploy and start."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from everything import BALANCED_ZAPPA, chalice_config, zappa_http_settings, zappa_settings

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `([\w]+)` \| ([a-z ]+) \|", re.MULTILINE)


def page(name: str) -> dict[str, str]:
    return dict(_ROW.findall((ROOT / "docs" / "reference" / f"settings-{name}.md").read_text()))


def used(configurations: list[dict[str, Any]]) -> set[str]:
    """Every name in some configurations, at any depth: none of zappa's or chalice's means two things."""
    found: set[str] = set()
    rest: list[Any] = list(configurations)
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            found |= value.keys()
            rest += value.values()
    return found


def examples(pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(ROOT.glob(f"examples/*/{pattern}"))]


USED = {
    "zappa": used([zappa_settings(), zappa_http_settings(), BALANCED_ZAPPA, *examples("zappa_settings.json")]),
    "chalice": used([chalice_config(), *examples(".chalice/config.json")]),
}


@pytest.mark.parametrize("framework", USED)
def test_carried_is_what_runs_end_to_end_and_template_only_the_rest(framework: str) -> None:
    told = page(framework)
    assert {name for name, what in told.items() if what == "carried"} - USED[framework] == set()
    assert {name for name, what in told.items() if what == "template only"} & USED[framework] == set()
