import ast

import pytest

from builder.source.guess.missing_lines import hug_api, missing_line


@pytest.mark.parametrize(
    ("text", "line", "instead"),
    [
        ("from bottle import route, run\n@route('/')\ndef i(): ...\nrun()\n",
         "import bottle; app = bottle.default_app()", 4),
        ("import cherrypy\nclass Root: ...\ncherrypy.quickstart(Root())\n",
         "import cherrypy; app = cherrypy.Application(Root())", 3),
        ("import cherrypy as cp\nclass Root: ...\nif __name__ == '__main__':\n    cp.quickstart(Root(), '/')\n",
         "import cherrypy; app = cherrypy.Application(Root())", None),
        ("import web\nurls = ()\napp = web.application(urls, globals())\n", "wsgi = app.wsgifunc()", None),
        ("from dash import Dash\ndash_app = Dash(__name__)\n", "server = dash_app.server", None),
        ("import dash\napp = dash.Dash('x')\n", "server = app.server", None),
    ],
)  # fmt: skip
def test_the_line_that_makes_a_wsgi_app(text: str, line: str, instead: int | None) -> None:
    found = missing_line(ast.parse(text))
    assert found is not None
    assert (found.text, found.instead) == (line, instead)


@pytest.mark.parametrize(
    "text", ["import cherrypy\n", "quickstart(1)\n", "import web\napp = web.database()\n", "x = 1\n"]
)
def test_other_modules_lack_none(text: str) -> None:
    assert missing_line(ast.parse(text)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import hug\n@hug.get('/x')\ndef x(): ...\n", True),
        ("import hug\n@hug.post\ndef x(): ...\n", True),
        ("import hug\ndef x(): ...\n", False),
        ("@hug.get('/x')\ndef x(): ...\n", False),
    ],
)
def test_an_api_of_hug_is_known_by_its_decorators(text: str, expected: bool) -> None:
    assert hug_api(ast.parse(text)) is expected
