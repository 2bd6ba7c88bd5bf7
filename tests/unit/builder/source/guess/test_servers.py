from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.source.guess.servers import server_app
from builder.source.inspect import Defaults, inspect

DEFAULTS = Defaults(python="3.12", pythons=("3.12",))
AIOHTTP = "from aiohttp import web\napp = web.Application()\nif __name__ == '__main__':\n    web.run_app(app)\n"


@pytest.mark.parametrize(
    ("text", "name", "advice"),
    [
        (AIOHTTP, "aiohttp", "move its routes to Starlette, Quart or Flask"),
        ("import aiohttp.web\ndef main():\n    aiohttp.web.run_app(make())\n", "aiohttp", "handler"),
        ("import tornado.web\nclass Main(tornado.web.RequestHandler): ...\n", "Tornado", "move its routes"),
        ("from tornado.web import Application as A\napp = A([])\n", "Tornado", "move its routes"),
        ("import streamlit as st\nst.title('x')\n", "Streamlit", "run it on a server"),
        (
            "import gradio as gr\ndemo = gr.Interface(len, 'text', 'text')\ndemo.launch()\n",
            "Gradio",
            "run it on a server",
        ),
        ("import gradio as gr\nwith gr.Blocks() as demo:\n    gr.Textbox()\n", "Gradio", "run it on a server"),
        ("from nicegui import ui\nui.label('x')\nui.run()\n", "NiceGUI", "run it on a server"),
        ("from shiny import App, ui\napp = App(ui.page_fluid(), None)\n", "Shiny", "run it on a server"),
        (
            "from http.server import HTTPServer\nHTTPServer(('', 80), X).serve_forever()\n",
            "Python's http.server",
            "move",
        ),
        ("import grpc\nserver = grpc.server(None)\n", "gRPC", "handler"),
        ("from twisted.web import server\nsite = server.Site(root)\n", "Twisted", "move its routes"),
        ("import chainlit as cl\n@cl.on_message\nasync def main(message): ...\n", "Chainlit", "run it on a server"),
    ],
)
def test_an_app_that_only_its_own_server_runs_is_told_so(tmp_path: Path, text: str, name: str, advice: str) -> None:
    (tmp_path / "main.py").write_text(text)
    with pytest.raises(AppError) as caught:
        inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    assert caught.value.code == Code.NO_FRAMEWORK
    assert caught.value.message == f"main.py is an app of {name}, which only a server of its own can run"
    assert advice in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["import aiohttp\nasync def get():\n    async with aiohttp.ClientSession(): ...\n", "web.Application()\n",
     "def x(:\n", "import grpc\nchannel = grpc.insecure_channel('x')\n"],
)  # fmt: skip
def test_a_client_is_no_server(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.py").write_text(text)
    assert server_app(tmp_path) is None


def test_a_handler_beside_it_is_told_first(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(AIOHTTP)
    (tmp_path / "work.py").write_text("def lambda_handler(event, context): ...\n")
    with pytest.raises(AppError) as caught:
        inspect(App("dev", "shop"), tmp_path, DEFAULTS)
    assert '[functions.work]\nhandler = "work.lambda_handler"' in caught.value.hint


def test_a_web_app_beside_it_is_deployed(tmp_path: Path) -> None:
    (tmp_path / "dashboard.py").write_text("import streamlit\n")
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef i(): ...\n")
    assert inspect(App("dev", "shop"), tmp_path, DEFAULTS).framework == "zappa"
