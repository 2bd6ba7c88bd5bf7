from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.model import Source
from builder.source.inspect import Defaults, inspect

DEFAULTS = Defaults(python="3.12", pythons=("3.11", "3.12", "3.13"))
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
ROUTED = FLASK + "@app.route('/')\ndef index(): ...\n"
FACTORY = "from flask import Flask\ndef create_app(config=None):\n    app = Flask(__name__)\n    return app\n"
CALLS_FACTORY = "from shop import create_app\napp = create_app()\n"
MANAGE = "import os\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
WSGI = MANAGE.replace("shop.settings", "shop.live") + "from django.core.wsgi import get_wsgi_application\n"


def write(tree: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def look(tree: Path, files: Mapping[str, str]) -> Source:
    return inspect(App("prod", "shop"), write(tree, files), DEFAULTS)


def guessed(tree: Path, files: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    source = look(tree, files)
    assert (source.framework, source.config_stage) == ("zappa", "dev")
    text = (source.root / "zappa_settings.json").read_text()
    (warning,) = source.warnings
    assert warning.endswith(text), "the receipt shows the settings"
    return source.root.relative_to(tree).as_posix(), json.loads(text)["dev"]


def refused(tree: Path, files: Mapping[str, str]) -> AppError:
    with pytest.raises(AppError) as caught:
        look(tree, files)
    return caught.value


ASGI = {"app_function": "main.app", "app_type": "asgi"}


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (FLASK, {"app_function": "main.app"}),
        ("import flask\napplication = flask.Flask('x')\n", {"app_function": "main.application"}),
        ("from flask import Flask as F\napp: F = F('x')\napi = Api(app)\n", {"app_function": "main.app"}),
        ("from fastapi import FastAPI\napp = FastAPI()\n", ASGI),
        ("import fastapi\nif True:\n  app = fastapi.FastAPI()\nhandler = Mangum(app)\n", ASGI),
        ("from starlette.applications import Starlette\napp = Starlette(routes=[])\n", ASGI),
        ("from quart import Quart\napp = Quart(__name__)\n", ASGI),
        ("from litestar import Litestar, get\napp = Litestar([])\n", ASGI),
        ("from fasthtml.common import *\napp, rt = fast_app()\n", ASGI),
        ("import bottle\napp = bottle.default_app()\n", {"app_function": "main.app"}),
        ("import falcon\napp = falcon.App()\n", {"app_function": "main.app"}),
        ("import falcon.asgi\napp = falcon.asgi.App()\n", ASGI),
        ("from pyramid.config import Configurator\nwith Configurator() as c:\n  app = c.make_wsgi_app()\n",
         {"app_function": "main.app"}),
        ("from dash import Dash\napp = Dash()\nserver = app.server\n", {"app_function": "main.server"}),
        ("def application(environ, start_response): ...\n", {"app_function": "main.application"}),
        ("async def app(scope, receive, send): ...\n", ASGI),
        ("class A:\n  def __call__(self, environ, start_response): ...\napp = A()\n", {"app_function": "main.app"}),
        ("class A:\n  async def __call__(self, scope, receive, send): ...\napp = A()\n", ASGI),
        ("from flask import Flask\nclass Shop(Flask): ...\napp = Shop('x')\n", {"app_function": "main.app"}),
        (FACTORY + "app = create_app()\n", {"app_function": "main.app"}),
        (FLASK + "from x import ProxyFix\napp = ProxyFix(app)\n", {"app_function": "main.app"}),
        (FLASK + "def helper(environ, start_response): ...\n", {"app_function": "main.app"}),
        ("from fastapi import FastAPI\napp = FastAPI()\nadmin = FastAPI()\napp.mount('/admin', admin)\n", ASGI),
        (FLASK + "if __name__ == '__main__':\n  other = Flask('x')\n  app.run()\n", {"app_function": "main.app"}),
    ],
)  # fmt: skip
def test_the_settings_that_zappa_init_would_write(tmp_path: Path, text: str, settings: dict[str, str]) -> None:
    assert guessed(tmp_path, {"main.py": text, "test_main.py": FLASK, "tests/app.py": FLASK, "x.py": ""}) == (
        ".", settings,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("files", "root", "app_function"),
    [
        ({"shop/__init__.py": FLASK}, ".", "shop.app"),
        ({"shop/__init__.py": FACTORY, "wsgi.py": CALLS_FACTORY}, ".", "wsgi.app"),
        (
            {
                "shop/__init__.py": "from .factory import create_app\n", "shop/factory.py": FACTORY,
                "run.py": "import shop\napp = shop.create_app()\n", "wsgi.py": "from shop import create_app\n"
                "application = create_app('live')\n", "jobs.py": "from shop import create_app\nx = create_app()\n",
            }, ".", "wsgi.application",
        ),
        ({"backend/main.py": FLASK + "import models\n", "backend/models.py": ""}, "backend", "main.app"),
        ({"backend/main.py": FLASK + "import backend.db\n", "backend/db.py": ""}, ".", "backend.main.app"),
        ({"backend/main.py": FLASK, "backend/requirements.txt": "flask", "web/index.html": ""}, "backend", "main.app"),
        ({"app/__init__.py": "", "app/main.py": FLASK + "from .db import x\n"}, ".", "app.main.app"),
        ({"my-shop/main.py": FLASK, "README.md": ""}, "my-shop", "main.app"),
        ({"only/main.py": FLASK}, "only", "main.app"),
        ({"services/shop/main.py": FLASK, "README.md": ""}, ".", "services.shop.main.app"),
        ({"a/main.py": FLASK, "b/main.py": FLASK, "auto-lambda.toml": "root = 'b'"}, "b", "main.app"),
        ({"manage.py": MANAGE, "shop/settings.py": "", "shop/__init__.py": ""}, ".", "shop.settings"),
        (
            {
                "manage.py": MANAGE, "shop/settings.py": "", "shop/live.py": "", "shop/wsgi.py": WSGI,
                "shop/__init__.py": "",
            }, ".", "shop.live",
        ),
        ({"shop/core.py": ROUTED, "shop/filters.py": FLASK, "shop/__init__.py": ""}, ".", "shop.core.app"),
        ({"site/manage.py": MANAGE, "site/shop/settings.py": "", "README.md": ""}, "site", "shop.settings"),
    ],
)  # fmt: skip
def test_where_the_app_is(tmp_path: Path, files: Mapping[str, str], root: str, app_function: str) -> None:
    found, settings = guessed(tmp_path, files)
    assert (found, next(iter(settings.values()))) == (root, app_function)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"one.py": FLASK, "two.py": FLASK}, ("one.app", "two.app")),
        ({"one.py": ROUTED, "two.py": FLASK, "views.py": "from two import app"}, ("one.app", "two.app")),
        ({"one.py": ROUTED, "two.py": FLASK + "app.register_blueprint(x)\n"}, ("one.app", "two.app")),
        ({"one.py": ROUTED, "two.py": FLASK + "init(app)\n"}, ("one.app", "two.app")),
        (
            {"one.py": ROUTED, "two.py": "import starlette.applications as s\napp = s.Starlette(routes=[])"},
            ("one.app", "two.app"),
        ),
        ({"one.py": FLASK + "admin = Flask('x')\n"}, ("one.app", "one.admin")),
        ({"manage.py": MANAGE, "shop/settings.py": "", "api.py": FLASK}, ("shop.settings", "api.app")),
        ({"a-b/main.py": FLASK, "c-d/app.py": FLASK}, ("a-b/zappa_settings.json", "c-d/zappa_settings.json")),
    ],
)
def test_of_several_apps_none_is_chosen(tmp_path: Path, files: Mapping[str, str], named: tuple[str, ...]) -> None:
    error = refused(tmp_path, files)
    assert error.code == Code.AMBIGUOUS_FRAMEWORK
    assert all(one in f"{error.message}\n{error.hint}" for one in named)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"app.py": "from chalice import Chalice\napp = Chalice('x')\n"}, "app.py makes a chalice app, whose hidden"),
        ({"app.py": "x = 1\n"}, "If it is a chalice app, the hidden folder .chalice was left out"),
        (
            {"api/hello.py": "import hug\n@hug.get()\ndef hi(): return ''\n"},
            'Save the settings: {"dev": {"app_function": "api.hello.__hug_wsgi__"}} as zappa_settings.json',
        ),
        (
            {"site.py": "import cherrypy\nclass Root: ...\ncherrypy.quickstart(Root())\n"},
            "Write into site.py, in place of line 3: import cherrypy; app = cherrypy.Application(Root())",
        ),
        (
            {
                "shop/__init__.py": "from pyramid.config import Configurator\ndef main(global_config, **settings):\n"
                "    with Configurator(settings=settings) as config:\n        return config.make_wsgi_app()\n"
            },
            "Add wsgi.py with two lines: from shop import main; app = main({})",
        ),
        ({"main.py": "x = 1\n"}, "no chalice, zappa or plain app"),
        ({"main.py": "from flask import Flask\napp = Flask(\n"}, "no chalice, zappa or plain app"),
        ({"main.py": FLASK, "zappa_settings.py": ""}, "run `zappa init`"),
        ({"main.py": FLASK, "auto-lambda.toml": "framework = 'chalice'"}, "there is no such app"),
        (
            {"app.py": "from bottle import route, run\n@route('/')\ndef i(): return ''\nrun(port=8080)\n"},
            "Write into app.py, in place of line 4: import bottle; app = bottle.default_app()",
        ),
        (
            {
                "app.py": "import bottle as b\n@b.get('/')\ndef i(): return ''\n"
                "if __name__ == '__main__':\n    b.run()\n"
            },
            "Write into app.py, as its last line: import bottle; app = bottle.default_app()",
        ),
        ({"app.py": "from bottle import route\n@other('/')\ndef i(): return ''\n"}, "no chalice, zappa or plain app"),
        ({"shop/__init__.py": FACTORY}, "Add wsgi.py with two lines: from shop import create_app; app = create_app()"),
        ({"manage.py": MANAGE}, "no chalice, zappa or plain app"),
        ({"shop/main.py": FLASK, "other/zappa_settings.json": "{}"}, "set root = 'other'"),
    ],
)
def test_nothing_is_guessed_without_a_sign(tmp_path: Path, files: Mapping[str, str], told: str) -> None:
    error = refused(tmp_path, {**files, "README.md": ""})
    assert error.code == Code.NO_FRAMEWORK
    assert told in f"{error.message}\n{error.hint}"


@pytest.mark.parametrize(
    ("files", "framework"),
    [
        ({"zappa_settings.json": '{"prod": {"app_function": "main.app"}}'}, "zappa"),
        ({".chalice/config.json": "{}", "app.py": ""}, "chalice"),
        ({"lambda_function.py": ""}, "plain"),
        ({"auto-lambda.toml": '[functions.api]\nhandler = "main.handler"'}, "plain"),
    ],
)
def test_what_is_said_counts_more_than_a_guess(tmp_path: Path, files: Mapping[str, str], framework: str) -> None:
    source = look(tmp_path, {"main.py": FLASK, **files})
    assert (source.framework, source.warnings) == (framework, ())


def test_functions_that_call_each_other_end_the_search(tmp_path: Path) -> None:
    text = "from other import make as made\ndef make():\n    return made()\napp = make()\n"
    many = "".join(f"def f{n}():\n" + f"    return f{(n + 1) % 60}()\n" * 60 for n in range(60))
    files = {"one.py": text, "other.py": text.replace("other", "one"), "many.py": f"{many}app = f0()\n"}
    assert refused(tmp_path, files).code == Code.NO_FRAMEWORK
