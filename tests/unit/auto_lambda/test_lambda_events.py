"""The route of a request, and its event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.lambda_events import Route, find_route, get_event

RESOURCES = ("/", "/items", "/items/{id}", "/items/new", "/items/{id}/parts", "/files/{name+}", "/{proxy+}")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", Route("/")),
        ("/?full=1", Route("/")),
        ("/items", Route("/items")),
        ("/items/", Route("/items")),
        ("/items/7", Route("/items/{id}", {"id": "7"})),
        ("/items/new", Route("/items/new")),
        ("/items/7/parts", Route("/items/{id}/parts", {"id": "7"})),
        ("/files/a/b%20c", Route("/files/{name+}", {"name": "a/b c"})),
        ("/other/one", Route("/{proxy+}", {"proxy": "other/one"})),
    ],
)
def test_a_path_takes_the_route_that_names_it_best(path: str, route: Route) -> None:
    assert find_route(RESOURCES, path) == route
    assert find_route(reversed(RESOURCES), path) == route


@pytest.mark.parametrize("path", ["/other", "/items/7/other", "/items//parts"])
def test_a_path_that_an_api_does_not_have_takes_none(path: str) -> None:
    assert find_route(["/", "/items", "/items/{id}/parts"], path) is None


@given(st.lists(st.text("/{}+ab", max_size=12), max_size=5), st.text("/ab?%", max_size=12))
def test_a_route_is_one_of_the_api(resources: list[str], path: str) -> None:
    found = find_route(resources, path)
    assert found is None or found.resource in resources


def test_a_query_is_told_apart_from_the_path() -> None:
    rest = get_event("rest-api", "/health?full=1&full=2&deep", "api")
    assert (rest["path"], rest["pathParameters"]) == ("/health", {"proxy": "health"})
    assert rest["multiValueQueryStringParameters"] == {"full": ["1", "2"], "deep": [""]}
    assert rest["queryStringParameters"] == {"full": "2", "deep": ""}
    url = get_event("function-url", "/health?full=1", "")
    assert (url["rawPath"], url["rawQueryString"]) == ("/health", "full=1")


def test_without_a_query_there_are_no_parameters() -> None:
    assert get_event("rest-api", "/", "api")["queryStringParameters"] is None
