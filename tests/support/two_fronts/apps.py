"""Apps that answer with what they were asked, by each framework and way of serving."""

from __future__ import annotations

import json
from dataclasses import dataclass

from e2e_stack import Files

from builder.protocol.flex import Serves

CHALICE = """
import base64

from chalice import AuthResponse, AuthRoute, BadRequestError, Chalice, CORSConfig, Response

app = Chalice(app_name="fronts")
app.api.binary_types.append("application/x-own")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
TEXTS = ["application/json", "text/plain", "application/x-www-form-urlencoded"]
BYTES = ["application/octet-stream", "image/png", "application/x-own"]


def told(**more):
    request = app.current_request
    raw = request.raw_body
    return {
        "method": request.method,
        "path": request.path,
        "root": "",
        "resource": request.context["resourcePath"],
        "stage": request.context["stage"],
        "query": {name: request.query_params.getlist(name) for name in sorted(request.query_params or ())},
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": base64.b64encode(raw if isinstance(raw, bytes) else raw.encode()).decode(),
        "parameters": request.uri_params,
        **more,
    }


@app.route("/echo", methods=METHODS, content_types=TEXTS)
def echo():
    return told()


@app.route("/raw", methods=METHODS, content_types=BYTES)
def raw_body():
    return told()


@app.route("/echo/{thing}", methods=METHODS, content_types=TEXTS)
def thing(thing):
    return told(thing=thing)


@app.route("/echo/mine", methods=["GET"])
def mine():
    return told(thing="mine, literally")


@app.route("/cors", methods=["GET", "PUT"], cors=True)
def cors():
    return {"cors": True}


@app.route("/cors/own", methods=["POST"], cors=CORSConfig(
    allow_origin="https://a.example", allow_headers=["X-Own"], max_age=7, expose_headers=["X-Seen"],
    allow_credentials=True))
def own_cors():
    return {"cors": "own"}


@app.authorizer(ttl_seconds=30)
def check(request):
    if request.token == "boom":
        raise ValueError("as asked")
    if request.token == "unauthorized":
        raise Exception("Unauthorized")
    if request.token == "wrong":
        return {"principalId": "x"}
    if request.token == "routes":
        return AuthResponse(routes=["/guarded", AuthRoute("/guarded/{name}", ["GET"])], principal_id="some")
    if request.token == "let me in":
        return AuthResponse(routes=["*"], principal_id="somebody", context={"number": "1", "name": "N"})
    return AuthResponse(routes=[], principal_id="nobody")


@app.route("/guarded", methods=["GET", "POST"], authorizer=check)
def guarded():
    return told(who=app.current_request.context["authorizer"])


@app.route("/guarded/{name}", methods=["GET", "DELETE"], authorizer=check, cors=True)
def guarded_one(name):
    return told(who=app.current_request.context["authorizer"])


@app.route("/bytes/{kind}")
def raw(kind):
    return Response(bytes(range(256)), headers={"Content-Type": f"application/{kind}"})


@app.route("/status/{code}")
def status(code):
    return Response({"code": code}, status_code=int(code), headers={"X-Own": "1"})


@app.route("/redirect")
def redirect():
    return Response("", status_code=302, headers={"Location": "https://a.example/x"})


@app.route("/cookies")
def cookies():
    return Response("two", headers={"Set-Cookie": ["a=1; Path=/", "b=2"], "Content-Type": "text/plain"})


@app.route("/text")
def text():
    return Response("Gr\\u00fc\\u00dfe, \\u4e16\\u754c", headers={"Content-Type": "text/plain; charset=utf-8"})


@app.route("/large/{size}")
def large(size):
    return Response("x" * int(size), headers={"Content-Type": "text/plain"})


@app.route("/empty")
def empty():
    return Response("", status_code=204)


@app.route("/boom")
def boom():
    raise ValueError("as asked")


@app.route("/bad")
def bad():
    raise BadRequestError("no such thing")
"""

_ECHO = """
import base64

def told(method, path, root, query, headers, body, scheme):
    return {
        "method": method, "path": path, "root": root, "query": query, "scheme": scheme,
        "headers": {name.lower(): value for name, value in headers},
        "body": base64.b64encode(body).decode(),
    }
"""

FASTAPI = """
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from echo import told

app = FastAPI()


@app.api_route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
@app.api_route("/echo/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def echo(request: Request):
    scope = request.scope
    return told(request.method, scope["path"], scope.get("root_path", ""), scope["query_string"].decode(),
                [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]],
                await request.body(), scope["scheme"])


@app.get("/bytes/{kind}")
async def raw(kind: str):
    return Response(bytes(range(256)), media_type=f"application/{kind}")


@app.get("/status/{code}")
async def status(code: int):
    return Response(str(code), status_code=code, headers={"X-Own": "1"}, media_type="text/plain")


@app.get("/redirect")
async def redirect():
    return RedirectResponse("https://a.example/x", status_code=302)


@app.get("/cookies")
async def cookies():
    answer = PlainTextResponse("two")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


@app.get("/text")
async def text():
    return PlainTextResponse("Gr\\u00fc\\u00dfe, \\u4e16\\u754c")


@app.get("/large/{size}")
async def large(size: int):
    return PlainTextResponse("x" * size)


@app.get("/empty")
async def empty():
    return Response(status_code=204)


@app.get("/boom")
async def boom():
    raise ValueError("as asked")


@app.get("/bad")
async def bad():
    raise HTTPException(400, "no such thing")


@app.get("/slash/")
async def slash():
    return {"slash": True}
"""

FLASK = """
from flask import Flask, Response, abort, redirect, request
from echo import told

app = Flask(__name__)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


@app.route("/echo", methods=METHODS, provide_automatic_options=False)
@app.route("/echo/", methods=METHODS, provide_automatic_options=False)
@app.route("/echo/<path:rest>", methods=METHODS, provide_automatic_options=False)
def echo(rest=""):
    return told(request.method, request.environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
                request.environ["SCRIPT_NAME"], request.environ["QUERY_STRING"], list(request.headers.items()),
                request.get_data(), request.scheme)


@app.route("/bytes/<kind>")
def raw(kind):
    return Response(bytes(range(256)), mimetype=f"application/{kind}")


@app.route("/status/<int:code>")
def status(code):
    return Response(str(code), status=code, headers={"X-Own": "1"}, mimetype="text/plain")


@app.route("/redirect")
def away():
    return redirect("https://a.example/x")


@app.route("/cookies")
def cookies():
    answer = Response("two", mimetype="text/plain")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


@app.route("/text")
def text():
    return Response("Gr\\u00fc\\u00dfe, \\u4e16\\u754c", content_type="text/plain; charset=utf-8")


@app.route("/large/<int:size>")
def large(size):
    return Response("x" * size, mimetype="text/plain")


@app.route("/empty")
def empty():
    return Response(status=204)


@app.route("/boom")
def boom():
    raise ValueError("as asked")


@app.route("/bad")
def bad():
    abort(400, "no such thing")


@app.route("/slash/")
def slash():
    return {"slash": True}
"""

DJANGO_SETTINGS = """
SECRET_KEY = "of no use here"
ALLOWED_HOSTS = ["*"]
DEBUG = False
ROOT_URLCONF = "site_urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = []
DATABASES = {}
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
"""
DJANGO_URLS = """
from django.http import HttpResponse, HttpResponseBadRequest, HttpResponseRedirect, JsonResponse
from django.urls import path, re_path
from echo import told


def echo(request, rest=""):
    return JsonResponse(told(
        request.method, request.path_info, request.META.get("SCRIPT_NAME", ""), request.META["QUERY_STRING"],
        list(request.headers.items()), request.body, request.scheme))


def raw(request, kind):
    return HttpResponse(bytes(range(256)), content_type=f"application/{kind}")


def status(request, code):
    return HttpResponse(str(code), status=code, headers={"X-Own": "1", "Content-Type": "text/plain"})


def cookies(request):
    answer = HttpResponse("two", content_type="text/plain")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


def boom(request):
    raise ValueError("as asked")


urlpatterns = [
    re_path("^echo(/.*)?$", echo),
    path("bytes/<kind>", raw),
    path("status/<int:code>", status),
    path("redirect", lambda request: HttpResponseRedirect("https://a.example/x")),
    path("cookies", cookies),
    path("text", lambda request: HttpResponse(
        "Gr\\u00fc\\u00dfe, \\u4e16\\u754c", content_type="text/plain; charset=utf-8")),
    path("large/<int:size>", lambda request, size: HttpResponse("x" * size, content_type="text/plain")),
    path("empty", lambda request: HttpResponse(status=204)),
    path("boom", boom),
    path("bad", lambda request: HttpResponseBadRequest("no such thing")),
    path("slash/", lambda request: JsonResponse({"slash": True})),
]
"""

ASGI = """
import json
from echo import told


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    path = scope["path"]
    status, headers, content = 200, [(b"content-type", b"text/plain")], b""
    if path.startswith("/echo"):
        headers = [(b"content-type", b"application/json")]
        content = json.dumps(told(
            scope["method"], path, scope.get("root_path", ""), scope["query_string"].decode(),
            [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]], body,
            scope["scheme"])).encode()
    elif path.startswith("/bytes/"):
        headers, content = [(b"content-type", b"application/" + path[7:].encode())], bytes(range(256))
    elif path.startswith("/status/"):
        status, content = int(path[8:]), path[8:].encode()
        headers.append((b"x-own", b"1"))
    elif path == "/redirect":
        status, headers = 302, [(b"location", b"https://a.example/x")]
    elif path == "/cookies":
        headers += [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        content = b"two"
    elif path == "/text":
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        content = "Gr\\u00fc\\u00dfe, \\u4e16\\u754c".encode()
    elif path.startswith("/large/"):
        content = b"x" * int(path[7:])
    elif path == "/empty":
        status, headers = 204, []
    elif path == "/boom":
        raise ValueError("as asked")
    elif path == "/bad":
        status, content = 400, b"no such thing"
    else:
        status, content = 404, b"nothing here"
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for start in range(0, max(len(content), 1), 1 << 16):
        await send({"type": "http.response.body", "body": content[start:start + (1 << 16)], "more_body": True})
    await send({"type": "http.response.body"})
"""

GUARDED = """
import json
from echo import told


def check(event, context):
    token = event["authorizationToken"]
    if token == "unauthorized":
        raise Exception("Unauthorized")
    effect = "Allow" if token == "let me in" else "Deny"
    arn, _, rest = event["methodArn"].partition("/")
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn + "/" + rest.split("/")[0] + "/*/*"}
    return {"principalId": "somebody", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    headers = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
    start_response("200 OK", [("Content-Type", "application/json")])
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return [json.dumps(told(environ["REQUEST_METHOD"], path, environ["SCRIPT_NAME"],
                            environ["QUERY_STRING"], headers, body, environ["wsgi.url_scheme"])).encode()]
"""


@dataclass(frozen=True, slots=True)
class TwoFronts:
    """An app that is asked at both of its fronts.

    Attributes:
        name: of its deployment, and of the table's column.
        title: for people.
        files: of its zip.
        serves: how zappa's handler calls it, as its builder says.
    """

    name: str
    title: str
    files: Files
    serves: Serves


def _zappa(requirements: tuple[str, ...], sources: dict[str, str], **settings: object) -> dict[str, str]:
    stage = {"project_name": "fronts", **settings}
    return {
        "echo.py": _ECHO,
        "requirements.txt": "".join(f"{one}\n" for one in requirements),
        "zappa_settings.json": json.dumps({"dev": stage}),
        **sources,
    }


ZAPPA = "zappa>=0.60,<1"
_STAGE = {"api_gateway_stage": "api"}
APPS = (
    TwoFronts(
        "fronts-chalice", "chalice", {
            "app.py": CHALICE,
            ".chalice/config.json": json.dumps({"version": "2.0", "app_name": "fronts", "stages": {"dev": _STAGE}}),
        }, "lambda",
    ),
    TwoFronts(
        "fronts-fastapi", "FastAPI",
        _zappa(("fastapi>=0.115,<1", "zappa>=0.63,<1"), {"app.py": FASTAPI}, app_function="app.app", app_type="asgi",
               apigateway_version="v2"), "asgi",
    ),
    TwoFronts(
        "fronts-flask", "Flask",
        _zappa(("flask>=3.1,<4", ZAPPA), {"app.py": FLASK}, app_function="app.app"), "wsgi",
    ),
    TwoFronts(
        "fronts-django", "Django",
        _zappa(("django>=5.2,<7", ZAPPA), {"site_settings.py": DJANGO_SETTINGS, "site_urls.py": DJANGO_URLS},
               django_settings="site_settings"), "wsgi",
    ),
    TwoFronts(
        "fronts-asgi", "plain ASGI",
        _zappa((ZAPPA,), {"app.py": ASGI}, app_function="app.app", app_type="asgi"), "asgi",
    ),
    TwoFronts(
        "fronts-guarded", "zappa with an authorizer",
        _zappa((ZAPPA,), {"app.py": GUARDED}, app_function="app.app", cors=True,
               authorizer={"function": "app.check", "result_ttl": 0}), "wsgi",
    ),
)  # fmt: skip
