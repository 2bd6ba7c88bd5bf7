"""Requests lead where API Gateway would lead them, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.bridge.front import PASS_ALL, Front, Match, read

TOLD: dict[str, Any] = {
    "stage": "api",
    "binary": ["image/png", "audio/*"],
    "routes": {
        "/": {"GET": {}},
        "/things": {"OPTIONS": {"fixed": 0}},
        "/things/{id}": {"GET": {"authorizer": "check"}},
        "/things/mine": {"GET": {}},
        "/things/{id}/parts/{part}": {"ANY": {}},
        "/files/{path+}": {"GET": {}},
        "/{proxy+}": {"POST": {}},
    },
    "authorizers": {
        "check": {"handler": "app.check", "header": "Authorization", "pattern": None, "ttl": 300, "timeout": 3}
    },
    "fixed": [{"status": 204, "headers": {"Access-Control-Allow-Origin": "*"}}],
}
FRONT = read(TOLD)


def found(method: str, path: str, front: Front = FRONT) -> Match:
    match = front.find(method, path)
    assert match is not None
    return match


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("GET", "/", "/", {}),
        ("GET", "", "/", {}),
        ("GET", "/things/7", "/things/{id}", {"id": "7"}),
        ("GET", "/things/mine", "/things/mine", {}),
        ("GET", "/things/7/", "/things/{id}", {"id": "7"}),
        ("GET", "//things//7", "/things/{id}", {"id": "7"}),
        ("GET", "/things/a%2Fb", "/things/{id}", {"id": "a%2Fb"}),
        ("DELETE", "/things/7/parts/8", "/things/{id}/parts/{part}", {"id": "7", "part": "8"}),
        ("GET", "/files/a/b", "/files/{path+}", {"path": "a/b"}),
        ("POST", "/files/a/b", "/{proxy+}", {"proxy": "files/a/b"}),
        ("POST", "/things/7", "/{proxy+}", {"proxy": "things/7"}),
    ],
)
def test_a_request_leads_to_the_closest_resource(
    method: str, path: str, resource: str, parameters: dict[str, str]
) -> None:
    match = found(method, path)
    assert (match.resource, match.parameters) == (resource, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/"), ("GET", "/nowhere"), ("GET", "/things/7/8"), ("GET", "/files"), ("GET", "/THINGS/7"),
        ("get", "/things/7"), ("GET", "/th%69ngs/7"), ("GET", "/things;x/7"),
    ],
)  # fmt: skip
def test_what_no_resource_serves_leads_nowhere(method: str, path: str) -> None:
    assert FRONT.find(method, path) is None


def test_a_preflight_has_its_fixed_answer() -> None:
    fixed = found("OPTIONS", "/things").method.fixed
    assert fixed is not None
    assert (fixed.status, fixed.headers) == (204, {"Access-Control-Allow-Origin": "*"})


@pytest.mark.parametrize("path", ["/things/7", "/things/7/", "//things/7", "/things//7//"])
def test_an_authorizer_knows_every_way_to_write_a_path_as_one(path: str) -> None:
    assert found("GET", path).path == "/things/7"


SEGMENT = st.text(st.characters(codec="ascii", exclude_characters="/?# {}"), min_size=1, max_size=8)


@given(st.lists(SEGMENT, max_size=5), st.sampled_from(["GET", "POST", "ANY", "OPTIONS", "DELETE"]))
def test_parameters_put_into_the_resource_are_the_request(segments: list[str], method: str) -> None:
    match = FRONT.find(method, "/" + "/".join(segments))
    assert match is None or match.path.split("/")[1:] == (segments or [""])


@given(st.lists(SEGMENT, max_size=5), st.text(max_size=8))
def test_an_api_that_hands_on_everything_does_so(segments: list[str], method: str) -> None:
    match = found(method, "/" + "/".join(segments), PASS_ALL)
    assert "/".join(match.parameters.values()) == "/".join(segments)


@pytest.mark.parametrize(
    ("media_type", "binary"),
    [
        ("image/png", True), ("IMAGE/PNG; x=1", True), ("audio/ogg", True), ("image/jpeg", False), ("*/*", False),
        ("image/png, text/html", True), ("text/html, image/png", False), ("", False), (None, False), ("audio", False),
    ],
)  # fmt: skip
def test_binary_types_are_those_of_the_api(media_type: str | None, binary: bool) -> None:
    assert FRONT.is_binary(media_type) is binary


@pytest.mark.parametrize("media_type", ["", None, "text/html", "*/*"])
def test_everything_is_binary_if_the_api_says_so(media_type: str | None) -> None:
    assert PASS_ALL.is_binary(media_type)


@pytest.mark.parametrize(
    "changed",
    [
        {"routes": {"/": {"GET": {"fixed": 1}}}}, {"routes": {"/": []}}, {"fixed": [{}]}, {"binary": None},
        {"authorizers": {"check": {"handler": "app.check"}}}, {"authorizers": []},
    ],
)  # fmt: skip
def test_a_description_of_another_form_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="describes no REST API"):
        read({**TOLD, **changed})
