"""A task is told how requests reach its app: straight, or by the handler, with what its API does before."""

from __future__ import annotations

from typing import Any

import pytest
from api_templates import answered, called, document, guarded, http, resources, token, uri
from drafts import APP
from flex_parts import FLEX

from auto_lambda.model import Template
from builder.protocol.flex import Serves
from entrypoint.task import TaskDescription, parse
from worker.deploy.flex.compile import OwnStack, describe_task
from worker.model import Bundle


def task(template: Template, serves: Serves, **flex: Any) -> TaskDescription:
    bundle = Bundle(
        APP, "zappa", "3.12", "x86_64", template, "k", (), "Api", has_url=True, health_path="/", serves=serves
    )
    own = OwnStack({"AutoLambdaFunction": "shop-dev"}, {})
    return parse(describe_task(bundle, FLEX.model_copy(update=flex), own, "artifacts"))


@pytest.mark.parametrize("serves", ["asgi", "wsgi"])
@pytest.mark.parametrize("template", [resources(), http()], ids=["REST", "HTTP"])
def test_an_app_whose_api_only_passes_requests_on_is_served_straight(template: Template, serves: Serves) -> None:
    found = task(template, serves)
    assert (found.kind, found.front) == (serves, None)


GUARDED = resources(authorizer={"Type": "TOKEN", "AuthorizerUri": uri("ApiLive")})


@pytest.mark.parametrize("template", [resources(cors=True), GUARDED], ids=["CORS", "authorizer"])
def test_an_api_that_does_something_itself_makes_it_a_handler(template: Template) -> None:
    found = task(template, "wsgi")
    assert (found.kind, found.payload) == ("lambda", "1.0")
    assert found.front is not None
    assert set(found.front["routes"]) == {"/", "/{proxy+}"}


def test_a_handler_is_always_told_its_routes() -> None:
    paths = {"/": {"get": called()}, "/x": {"get": guarded(), "options": answered()}}
    found = task(document(paths, {"check": token()}), "lambda")
    assert found.front is not None
    assert found.front["routes"]["/x"] == {"GET": {"authorizer": "check"}, "OPTIONS": {"fixed": 0}}


def test_a_handler_behind_an_http_api_gets_all_requests() -> None:
    found = task(http(), "lambda")
    assert (found.kind, found.front) == ("lambda", None)


def test_a_handler_has_more_processes_than_cores_as_far_as_memory_goes() -> None:
    assert task(http(), "asgi", cpu=1024, memory=2048).processes == 1
    assert task(http(), "lambda", cpu=1024, memory=2048).processes == 4
    assert task(http(), "lambda", cpu=1024, memory=512).processes == 2
