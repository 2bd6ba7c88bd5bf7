"""The table of settings: complete, documented, and applied where chalice looks settings up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from auto_lambda.tools import ToolEnvironments
from builder.frameworks.chalice.settings import SETTINGS, check_settings, domains, settings_problems
from builder.protocol.messages import DomainMessage

TABLE = Path(__file__).parents[5] / "docs" / "reference" / "settings-chalice.md"
NOT_FROM_THE_FILE = {"chalice_app", "project_dir"}
"""What chalice's command line hands to its own configuration object."""


def chalices_own() -> Iterator[str]:
    """Every name that chalice's configuration class looks up."""
    package = ToolEnvironments().python("compiler", "3.12").parent.parent / "lib/python3.12/site-packages/chalice"
    for node in ast.walk(ast.parse((package / "config.py").read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        looked_up = node.func.attr in ("_chain_lookup", "_chain_merge")
        looked_up |= node.func.attr == "get" and "_config_from_disk" in ast.unparse(node.func)
        if looked_up and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def test_the_table_holds_every_setting_that_chalice_knows() -> None:
    assert set(chalices_own()) - NOT_FROM_THE_FILE == set(SETTINGS)


def test_the_reference_says_the_same() -> None:
    text = TABLE.read_text().replace("| template only |", "| carried |")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", text, re.MULTILINE)
    assert {name: treatment for name, treatment, _ in rows} == {name: one.treatment for name, one in SETTINGS.items()}
    assert all(why for _, treatment, why in rows if treatment != "carried")


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"manage_iam_role": False}, ""),
        ({"lambda_functions": {"f": {"manage_iam_role": False}}}, "lambda_functions.f."),
        ({"stages": {"dev": {"manage_iam_role": False}}}, "stages.dev."),
        (
            {"stages": {"dev": {"lambda_functions": {"f": {"manage_iam_role": False}}}}},
            "stages.dev.lambda_functions.f.",
        ),
    ],
)
def test_a_setting_that_is_not_carried_is_named_with_its_place(config: dict[str, Any], place: str) -> None:
    (warning,) = check_settings(config, "dev")
    assert warning.startswith(f"{place}manage_iam_role in .chalice/config.json is ignored: each function gets a role")


def test_custom_domains_of_the_stage_are_passed_on() -> None:
    config = {
        "websocket_api_custom_domain": {"domain_name": "ws.example.com"},
        "api_gateway_custom_domain": {"domain_name": "example.com"},
        "stages": {"dev": {"api_gateway_custom_domain": {"domain_name": "dev.example.com", "url_prefix": "v1"}}},
    }
    found, warnings = domains(config, "dev")
    assert found == (
        DomainMessage(name="dev.example.com", base_path="v1"), DomainMessage(name="ws.example.com", sockets=True),
    )  # fmt: skip
    assert warnings == ()
    assert check_settings(config, "dev") == ()


def test_a_custom_domain_that_is_none_is_warned_about() -> None:
    for value in ("example.com", {"domain_name": 7}, {}):
        found, (warning,) = domains({"api_gateway_custom_domain": value}, "dev")
        assert found == ()
        assert "api_gateway_custom_domain is not mapped" in warning


def test_other_stages_and_empty_settings_do_not_count() -> None:
    config = {"stages": {"prod": {"manage_iam_role": False}, "dev": {"api_gateway_custom_domain": None}}}
    assert check_settings(config, "dev") == ()
    assert check_settings({"manage_iam_role": True, "automatic_layer": True, "version": "2.0"}, "dev") == ()


def test_dropped_and_unknown_settings_are_warned_about() -> None:
    profile, typo = check_settings({"profile": "me", "stages": {"dev": {"lambda_memory": 1}}}, "dev")
    assert profile == "profile in .chalice/config.json is ignored: the pipeline deploys with its own credentials"
    assert typo == "stages.dev.lambda_memory in .chalice/config.json is ignored: chalice has no such setting"


def test_a_format_of_the_future_is_refused() -> None:
    with pytest.raises(AppError, match="version"):
        check_settings({"version": "3.0"}, "dev")


JSON = st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
PLACES = st.sampled_from([*SETTINGS, "dev", "f"])
LEVEL = st.dictionaries(PLACES, JSON, max_size=3)


@settings(max_examples=100, deadline=None)
@given(config=st.dictionaries(PLACES, JSON | LEVEL | st.dictionaries(PLACES, LEVEL, max_size=3), max_size=5))
def test_any_configuration_passes_or_is_refused_in_words(config: dict[str, Any]) -> None:
    try:
        warnings = check_settings(config, "dev")
    except AppError as error:
        known = error.code in (Code.UNSUPPORTED_SETTING, Code.BAD_CONFIG)
    else:
        known = all("is ignored" in warning for warning in warnings)
    assert known


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"A": "\ud800"}, "not valid Unicode"), ({"\ud800": "a"}, "not valid Unicode"), ({"AA": 1}, "is not a text"),
        ({"AA": None}, "is not a text"), ({"AA": 10**5000}, "is not a text"), ({"AA": "\0"}, "cannot be"),
        ({"": "a"}, "cannot be"), ({"A=B": "a"}, "cannot be"), ({"AWS_REGION": "a"}, "Lambda sets AWS_REGION itself"),
        ({"PYTHONHOME": "a"}, "with PYTHONHOME"), ({"AUTO_LAMBDA_RELEASE": "a"}, "Auto-Lambda sets"),
        (["AA"], "is not a mapping"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["", "lambda_functions.f.", "stages.dev.", "stages.dev.lambda_functions.f."])
def test_a_variable_that_cannot_be_set_is_named_with_its_place(place: str, variables: Any, said: str) -> None:
    config: Any = {"environment_variables": variables}
    for name in reversed(place.rstrip(".").split(".") if place else []):
        config = {name: config}
    with pytest.raises(AppError, match=said) as caught:
        check_settings(config, "dev")
    assert caught.value.code == Code.BAD_CONFIG
    assert isinstance(variables, list) or f"{place}environment_variables: " in caught.value.message


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"environment_variables": {"AA": "x" * 4000}}, "environment_variables: all variables together are"),
        (
            {
                "environment_variables": {"AA": "x" * 2000},
                "stages": {"dev": {"environment_variables": {"BB": "x" * 2000}}},
            },
            "stages.dev.environment_variables: all variables together are",
        ),
        ({"stages": {"dev": {"tags": {"aws:team": "x"}}}}, "stages.dev.tags: the tag 'aws:team'"),
    ],
)
def test_what_lambda_takes_at_most_is_told_before_anything_is_built(config: dict[str, Any], told: str) -> None:
    (error,) = settings_problems(config, "dev", {"C": "y" * 100})
    assert error.code == Code.BAD_CONFIG
    assert told in error.message


def test_usual_variables_pass() -> None:
    assert check_settings({"environment_variables": {"TABLE": "t", "PYTHONPATH": "lib", "NAME": "Zoë"}}, "dev") == ()
