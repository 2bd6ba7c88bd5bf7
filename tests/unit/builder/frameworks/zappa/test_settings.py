from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.tools import LOCKS, ToolEnvironments
from builder.frameworks.zappa.settings import (
    RULES,
    SETTINGS_PAGE,
    ZAPPA_VERSION,
    StageSettings,
    balancer_problems,
    check_settings,
)
from builder.protocol.flex import FlexMessage

ROOT = Path(__file__).parents[5]


def known_to_zappa() -> set[str]:
    """Every setting that zappa's code reads, and every one that its manual lists."""
    python = ToolEnvironments().python("compiler", "3.12")
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    code = (site / "zappa" / "cli.py").read_text()
    read = set(re.findall(r'stage_config(?:\.get\(|\[)\s*"(\w+)"', code))
    read |= set(re.findall(r'"([a-z]\w+)" in (?:self\.stage_config|settings)', code))
    custom = re.search(r"CUSTOM_SETTINGS = \[(.*?)\]", code, re.DOTALL)
    assert custom
    read |= set(re.findall(r'"(\w+)"', custom[1]))
    manual = (site / f"zappa-{ZAPPA_VERSION}.dist-info" / "METADATA").read_text()
    listed = manual.split("## Advanced Settings")[-1].split("```")[1]
    return read | set(re.findall(r'^ {8}"([a-z]\w+)"\s*:', listed, re.MULTILINE))


def test_the_table_knows_exactly_the_settings_of_the_pinned_zappa() -> None:
    known = known_to_zappa()
    assert len(known) > 100
    assert known == set(RULES)


def test_the_pin_is_the_compilers() -> None:
    assert f"zappa=={ZAPPA_VERSION}" in (LOCKS / "compiler.in").read_text().split()


def test_the_manual_shows_the_table() -> None:
    text = (ROOT / SETTINGS_PAGE).read_text().replace("| template only |", "| carried |")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\|$", text, re.MULTILINE)
    assert rows == [(name, rule.verdict, rule.note) for name, rule in RULES.items()]


def test_whatever_is_not_carried_says_why() -> None:
    assert [name for name, rule in RULES.items() if rule.verdict != "carried" and not rule.note] == []


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"assume_policy": "p.json"}, "assume_policy"),
        ({"callbacks": {"zip": "hooks.zip"}}, "callbacks.zip"),
        ({"callbacks": {"post": "hooks.post"}}, "callbacks.post"),
        ({"apigateway_version": "v2", "authorizer": {"function": "a.b"}}, "authorizer"),
        ({"apigateway_version": "v2", "api_key_required": True}, "api_key_required"),
        ({"apigateway_version": "v2", "apigateway_policy": "p.json"}, "apigateway_policy"),
    ],
)
def test_what_is_refused_is_refused_by_name(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(AppError) as caught:
        check_settings(StageSettings(settings))
    assert caught.value.code == Code.UNSUPPORTED_SETTING
    assert repr(named) in caught.value.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"manage_roles": False}, "extra_permissions"),
        ({"role_arn": "arn:aws:iam::123456789012:role/admin"}, "extra_permissions"),
        ({"function_url_domains": ["a.example"]}, "map the domain"),
    ],
)
def test_roles_and_domains_are_warned_about(settings: dict[str, Any], said: str) -> None:
    (warning,) = check_settings(StageSettings(settings))
    assert next(iter(settings)) in warning
    assert said in warning


@pytest.mark.parametrize("setting", ["environment_variables", "aws_environment_variables"])
@pytest.mark.parametrize("name", ["PYTHONHOME", "AUTO_LAMBDA_RELEASE", "AWS_SESSION_TOKEN", "PYTHONSAFEPATH"])
def test_what_no_function_may_set_is_refused_wherever_it_is_set(setting: str, name: str) -> None:
    with pytest.raises(AppError, match=name) as caught:
        check_settings(StageSettings({setting: {"COLOUR": "red", name: "x"}}))
    assert caught.value.code == Code.BAD_CONFIG
    assert f"setting {setting}:" in caught.value.message


@pytest.mark.parametrize("setting", ["environment_variables", "aws_environment_variables"])
def test_variables_are_a_mapping(setting: str) -> None:
    with pytest.raises(AppError, match="a mapping") as caught:
        check_settings(StageSettings({setting: ["COLOUR"]}))
    assert caught.value.code == Code.BAD_CONFIG


def test_all_refused_settings_are_named_at_once() -> None:
    with pytest.raises(AppError) as caught:
        check_settings(
            StageSettings({"callbacks": {"zip": "hooks.zip"}, "memory_size": 512, "assume_policy": "p.json"})
        )
    assert [name for name in ("callbacks.zip", "memory_size", "assume_policy") if name in caught.value.message] == [
        "callbacks.zip", "assume_policy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {"manage_roles": True, "alb_enabled": False, "role_arn": None, "callbacks": {"settings": "hooks.settings"}},
        {"apigateway_version": "v2", "iam_authorization": True, "authorizer": {"function": "a.b"}},
    ],
)
def test_what_asks_for_nothing_refused_passes(settings: dict[str, Any]) -> None:
    check_settings(StageSettings(settings))


def test_ignored_settings_are_warned_about_and_those_of_no_consequence_in_one_line() -> None:
    found = check_settings(StageSettings({"slim_handler": True, "s3_bucket": "b", "touch": True, "memory_size": 512}))
    assert len(found) == 2
    assert "slim_handler" in found[0]
    assert "s3_bucket, touch" in found[1]


def test_an_unknown_setting_is_told_of() -> None:
    (found,) = check_settings(StageSettings({"memory_sise": 512}))
    assert "memory_sise" in found


def test_an_unknown_api_version_is_wrong() -> None:
    with pytest.raises(AppError) as caught:
        check_settings(StageSettings({"apigateway_version": "v3"}))
    assert caught.value.code == Code.BAD_CONFIG


STANDING = {"measure": "requests_per_second", "above": 20.0, "below": 10.0}


@pytest.mark.parametrize(
    ("settings", "flex", "said"),
    [
        ({"alb_enabled": True}, None, "auto-lambda.toml does not have"),
        ({"alb_enabled": True}, {**STANDING, "variant": "dns"}, "variant = 'dns'"),
        ({"alb_enabled": True}, STANDING, None),
        ({"alb_enabled": True}, {**STANDING, "variant": "standing-load-balancer"}, None),
        ({"alb_enabled": False}, None, None),
        ({}, {**STANDING, "variant": "dns"}, None),
    ],
)
def test_a_load_balancer_needs_flex(settings: dict[str, Any], flex: dict[str, Any] | None, said: str | None) -> None:
    found = list(balancer_problems(StageSettings(settings), FlexMessage(**flex) if flex else None))
    assert [one.code for one in found] == ([Code.UNSUPPORTED_SETTING] if said else [])
    assert all(said in one.message and "alb_enabled" in one.message for one in found if said)
