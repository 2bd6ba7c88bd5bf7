"""What the uploader reads when an app does not compile, and what becomes of an answer that a stranger wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from building import make_source
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.frameworks.chalice import answer as chalice_answer
from builder.frameworks.chalice.sam import Expanded
from builder.model import Draft
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import Command, Limits, Outcome, PlainSandbox

Compile = Callable[..., Draft]
HELLO = """
from chalice import Chalice
app = Chalice(app_name="hello")

@app.route("/")
def index():
    return {}
"""
HERE = "import os\nHERE = os.path.dirname(__file__)\n"
POLICY = {"Version": "2012-10-17", "Statement": []}
ENDED = Outcome(0, "", 0.5)
TEMPLATE: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.app"}}},
    "Outputs": {},
}
GOOD: dict[str, Any] = {
    "sam": {"Transform": "AWS::Serverless-2016-10-31", "Resources": {}},
    "tracing": False,
    "notifications": [{"bucket": "b", "function": "F", "events": ["s3:ObjectCreated:*"], "prefix": "", "suffix": ""}],
}


class Impatient:
    """Runs every command with a short wall clock."""

    def run(self, command: Command, say: Callable[[str], None]) -> Outcome:
        limits = Limits(wall=1.5)
        return PlainSandbox().run(
            Command(command.argv, command.cwd, command.env, command.readable, command.writable, False, limits), say
        )


FAILURES = [
    pytest.param(
        {"app.py": HELLO + "import requests\n"}, Code.APP_DOES_NOT_IMPORT,
        'File "app.py", line 8', "Add the package that provides requests", id="a forgotten requirement of a tool",
    ),
    pytest.param(
        {"app.py": HELLO + "import jinja2, os\nfrom PIL import Image\nimport aws.x\nimport helper\n", "helper.py": ""},
        Code.APP_DOES_NOT_IMPORT, "No module named 'jinja2'",
        "Add the packages that provide jinja2, PIL (Pillow) and aws to requirements.txt, or put the modules into ",
        id="several forgotten requirements, all at once",
    ),
    pytest.param(
        {
            "app.py": HELLO + "import humanize\n",
            "pyproject.toml": "[project]\ndependencies = []\n[dependency-groups]\nweb = ['humanize']\n",
        },
        Code.APP_DOES_NOT_IMPORT, "No module named 'humanize'", 'write groups = ["web"] into auto-lambda.toml',
        id="a requirement in a group that is not installed",
    ),
    pytest.param(
        {
            "app.py": HELLO + "import chalicelib.x\nimport bs4\n",
            "chalicelib/x.py": "try:\n    import a\nexcept ImportError:\n    a = 0\nimport yaml\n",
        },
        Code.APP_DOES_NOT_IMPORT, "No module named 'yaml'", "provide yaml (PyYAML) and bs4 (beautifulsoup4) to",
        id="forgotten requirements in two files",
    ),
    pytest.param(
        {
            "app.py": "import os\n" + HELLO + "bucket = os.environ.get('UPLOADS', '')\nos.getenv('UPLOADS')\n"
            "@app.on_s3_event(bucket=bucket)\ndef uploaded(event): pass\n",
        },
        Code.COMPILE_FAILED, "uploaded names no bucket", "Set UPLOADS under [environment] in auto-lambda.toml",
        id="a variable without a value",
    ),
    pytest.param(
        {"app.py": HELLO + "import chalicelib.db\n", "chalicelib/__init__.py": ""}, Code.APP_DOES_NOT_IMPORT,
        "No module named 'chalicelib.db'", "Put chalicelib/db into the zip", id="no such module of chalicelib",
    ),
    pytest.param(
        {"app.py": HELLO + "import chalicelib\n"}, Code.APP_DOES_NOT_IMPORT,
        "No module named 'chalicelib'", "Put chalicelib into the zip", id="no chalicelib",
    ),
    pytest.param(
        {"app.py": "import sys\nsys.meta_path.pop()\nimport nowhere\n"}, Code.APP_DOES_NOT_IMPORT,
        "No module named 'nowhere'", "Add the package", id="an importer less",
    ),
    pytest.param(
        {"app.py": HELLO + "import helper\n", "helper.py": ""}, Code.APP_DOES_NOT_IMPORT,
        "No module named 'helper'", "move helper into chalicelib/", id="a module beside app.py",
    ),
    pytest.param(
        {"app.py": "import ctypes.util\nif not ctypes.util.find_library('zbarnot'):\n"
         "    raise ImportError('Unable to find zbarnot shared library')\n"}, Code.MISSING_LIBRARY,
        "asks for libzbarnot.so by name", "wheel of the package that bundles the library", id="a library by name",
    ),
    pytest.param(
        {"app.py": HELLO + "import nowhere, helper\n", "helper.py": ""}, Code.APP_DOES_NOT_IMPORT,
        "No module named 'nowhere'", "Add the package that provides nowhere to requirements.txt, or put the module "
        "into chalicelib/. And chalice packages only app.py, chalicelib/ and vendor/: move helper into chalicelib/ "
        "and import from there.", id="a forgotten requirement, and a module beside app.py",
    ),
    pytest.param(
        {"app.py": HELLO + "try:\n    import nowhere\nexcept ImportError:\n    pass\nx = nowhere.x\nimport helper\n",
         "helper.py": ""},
        Code.APP_DOES_NOT_IMPORT, "name 'nowhere' is not defined", "provides nowhere to requirements.txt, or put the "
        "module into chalicelib/. And chalice packages only app.py, chalicelib/ and vendor/: move helper into",
        id="a forgotten requirement whose import is guarded",
    ),
    pytest.param(
        {"app.py": HERE + "open(os.path.join(HERE, 'project.json'))\n", "project.json": "{}"},
        Code.APP_DOES_NOT_IMPORT, "project.json", "move project.json into chalicelib/", id="a file beside app.py",
    ),
    pytest.param(
        {"app.py": HERE + "open(os.path.join(HERE, 'config', 'x.yml'))\n", "config/x.yml": ""},
        Code.APP_DOES_NOT_IMPORT, "config/x.yml", "move config/x.yml into chalicelib/", id="a file in a folder",
    ),
    pytest.param(
        {"app.py": "open('project.json')\n", "project.json": "{}"},
        Code.APP_DOES_NOT_IMPORT, "project.json", "move project.json into chalicelib/", id="a relative path",
    ),
    pytest.param(
        {"app.py": "import os\nos.listdir('/var/task/templates')\n", "templates/a.html": ""},
        Code.APP_DOES_NOT_IMPORT, "templates", "move templates into chalicelib/", id="a folder at its place on Lambda",
    ),
    pytest.param(
        {"app.py": "open('other.json')\n"},
        Code.APP_DOES_NOT_IMPORT, "other.json", "correct it", id="a file that is nowhere",
    ),
    pytest.param(
        {"app.py": "import chalicelib.deep\n", "chalicelib/deep.py": "def f():\n    raise ValueError('x')\nf()\n"},
        Code.APP_DOES_NOT_IMPORT, 'File "chalicelib/deep.py", line 2, in f', "correct it", id="raises in chalicelib",
    ),
    pytest.param(
        {"app.py": "import os\nos.environ['TOKEN']\n"}, Code.MISSING_ENVIRONMENT,
        "KeyError: 'TOKEN'", "Set TOKEN under [environment]", id="an unset variable",
    ),
    pytest.param(
        {"app.py": "import boto3\nboto3.client('sts').get_caller_identity()\n"}, Code.NEEDS_AWS,
        'File "app.py", line 2', "make the call inside a function", id="a call to AWS",
    ),
    pytest.param(
        {"app.py": "import ctypes\nctypes.CDLL('libno.so.7')\n"}, Code.MISSING_LIBRARY,
        'File "app.py", line 2', "bundles libno.so.7", id="a library that is not there",
    ),
    pytest.param(
        {"app.py": "import sys\nprint('{}')\nsys.exit(3)\n"}, Code.APP_DOES_NOT_IMPORT,
        "sys.exit(3)", "__main__", id="sys.exit",
    ),
    pytest.param(
        {"app.py": "import os\nos._exit(0)\n"}, Code.ENDED_AT_START,
        "ended with exit status 0", "os._exit", id="os._exit",
    ),
    pytest.param(
        {"app.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"}, Code.ENDED_AT_START,
        "Segmentation fault", "native module", id="a crash",
    ),
    pytest.param(
        {"app.py": HELLO + "def broken(:\n"}, Code.SYNTAX_ERROR, "app.py, line 8", "Correct the line", id="syntax",
    ),
    pytest.param(
        {"app.py": "import chalicelib.old\n", "chalicelib/old.py": "x = 1\nprint 'hello'\n"}, Code.SYNTAX_ERROR,
        "chalicelib/old.py, line 2 is written in Python 2", "Port it to Python 3.12", id="Python 2",
    ),
    pytest.param(
        {"app.py": HELLO + "app.route('/')(lambda: 1)\n"}, Code.COMPILE_FAILED,
        "Duplicate method: 'GET' detected for route: '/'", "chalice package", id="a route twice",
    ),
    pytest.param(
        {"app.py": HELLO + "app.route('/x/')(index)\n"}, Code.COMPILE_FAILED,
        "Route cannot end with a trailing slash", "chalice package", id="a trailing slash",
    ),
    pytest.param(
        {"app.py": "app = 1\n"}, Code.COMPILE_FAILED, "defines `app` as a int", "", id="not a chalice app",
    ),
    pytest.param({"app.py": "api = 1\n"}, Code.COMPILE_FAILED, "defines no name `app`", "", id="no app"),
    pytest.param(
        {"app.py": "from chalice import Chalice\napp = Chalice('x')\n"}, Code.COMPILE_FAILED,
        "nothing to deploy", "", id="an empty app",
    ),
    pytest.param({}, Code.COMPILE_FAILED, "no app.py", "put it there", id="no app.py"),
    pytest.param(
        {"app.py": HELLO + "@app.on_s3_event(bucket='')\ndef f(event): pass\n"}, Code.COMPILE_FAILED,
        "names no bucket", "", id="no bucket",
    ),
    pytest.param(
        {"app.py": HELLO, ".chalice/config.json": '{"autogen_policy": false}'}, Code.MISSING_POLICY_FILE,
        "takes a policy from .chalice/policy-dev.json", "autogen_policy", id="no policy file",
    ),
    pytest.param(
        {"app.py": HELLO, ".chalice/config.json": '{"autogen_policy": false, "iam_policy_file": "../../x.json"}',
         "../x.json": json.dumps(POLICY)}, Code.MISSING_POLICY_FILE,
        "../x.json", "autogen_policy", id="a policy outside the app",
    ),
    pytest.param(
        {"app.py": HELLO, ".chalice/config.json": '{"api_gateway_policy_file": "p.json"}', ".chalice/p.json": "[1]"},
        Code.COMPILE_FAILED, ".chalice/p.json is not an IAM policy", "", id="not a policy",
    ),
    pytest.param(
        {"app.py": HELLO, ".chalice/config.json": '{"subnet_ids": ["subnet-1"]}'}, Code.COMPILE_FAILED,
        "you must provide the subnet_ids", "", id="half a VPC",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("files", "code", "message", "hint"), FAILURES)
def test_what_the_uploader_can_fix_is_said(
    tmp_path: Path, compile_chalice: Compile, files: Mapping[str, str], code: Code, message: str, hint: str
) -> None:
    with pytest.raises(AppError) as raised:
        compile_chalice(tmp_path, files)
    assert raised.value.code == code
    assert message in raised.value.message
    assert hint in raised.value.hint
    assert str(tmp_path) not in str(raised.value)
    assert "site-packages" not in str(raised.value)


def test_all_variables_that_the_app_needs_are_named_at_once(tmp_path: Path, compile_chalice: Compile) -> None:
    stages = {"dev": {"environment_variables": {"GIVEN": "1"}}}
    files = {
        "app.py": f"import os\nos.environ['GIVEN']\nos.environ['FIRST']\nfrom chalicelib import more\n{HELLO}",
        "chalicelib/__init__.py": "",
        "chalicelib/more.py": "import os\nSECOND = os.environ['SECOND']\nos.environ['AWS_REGION']\nos.getenv('NOT')\n",
        ".chalice/config.json": json.dumps({"version": "2.0", "app_name": "hello", "stages": stages}),
    }
    with pytest.raises(AppError) as raised:
        compile_chalice(tmp_path, files)
    assert raised.value.code == Code.MISSING_ENVIRONMENT
    assert raised.value.hint.startswith("Set FIRST, SECOND under [environment]")


def test_an_app_that_never_ends_is_stopped(tmp_path: Path, compile_chalice: Compile) -> None:
    with pytest.raises(AppError) as raised:
        compile_chalice(tmp_path, {"app.py": "while True: pass\n"}, sandbox=Impatient())
    assert raised.value.code == Code.TOOK_TOO_LONG


def test_an_app_that_leaves_a_thread_running_compiles(tmp_path: Path, compile_chalice: Compile) -> None:
    app = HELLO + "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert compile_chalice(tmp_path, {"app.py": app}).main == "APIHandler"


# ---------------------------------------------------------------- answers that a stranger wrote


def read(folder: Path, answer: Any, outcome: Outcome = ENDED) -> Draft:
    """What becomes of an answer, had its template been expanded to ours."""
    (folder / "result.json").unlink(missing_ok=True)
    result = ResultFile(folder / "result.json")
    (folder / "result.new").write_text(answer if isinstance(answer, str) else json.dumps(answer))
    (folder / "result.new").replace(result.path)
    compiled = chalice_answer.read(outcome, result, make_source(folder))
    expanded = Expanded.model_validate({"template": TEMPLATE, "main": "F", "url": None})
    return chalice_answer.make_draft(compiled, expanded, folder / "code")


def test_a_good_answer_is_a_draft(tmp_path: Path) -> None:
    draft = read(tmp_path, GOOD)
    assert (draft.main, draft.url, draft.template) == ("F", None, TEMPLATE)
    assert draft.notifications[0].function == "F"


def test_a_main_function_that_is_not_in_the_template_fails_the_app(tmp_path: Path) -> None:
    expanded = Expanded.model_validate({"template": TEMPLATE, "main": "G", "url": None})
    with pytest.raises(AppError) as raised:
        chalice_answer.make_draft(chalice_answer.Compiled.model_validate(GOOD), expanded, tmp_path)
    assert raised.value.code == Code.RESULT_TAMPERED


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    "answer",
    [
        "", "[]", "null", "{", "{}", "[" * 100_000, {**GOOD, "sam": "text"}, {**GOOD, "sam": None}, {**GOOD, "more": 1},
        {**GOOD, "tracing": "yes"},
        {**GOOD, "notifications": [{**GOOD["notifications"][0], "function": "G"}]},
        {**GOOD, "notifications": [{**GOOD["notifications"][0], "events": "all"}]},
        without("sam"), without("notifications"), {"error": {"kind": "other", "message": ""}},
        {"error": {"kind": "syntax"}}, {"error": "text"},
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_fails_the_app(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(AppError) as raised:
        read(tmp_path, answer)
    assert raised.value.code == Code.RESULT_TAMPERED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)


@settings(max_examples=50, deadline=None)
@given(answer=JSON | st.fixed_dictionaries(dict.fromkeys(GOOD, JSON)) | st.fixed_dictionaries({"error": JSON}))
def test_no_answer_surprises(tmp_path_factory: pytest.TempPathFactory, answer: Any) -> None:
    assume(not is_good(answer))
    with pytest.raises(AppError):
        read(tmp_path_factory.getbasetemp(), answer)


def is_good(answer: Any) -> bool:
    try:
        chalice_answer.Compiled.model_validate(answer)
    except ValueError:
        return False
    return True


def test_a_linked_answer_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(GOOD))
    result = ResultFile(tmp_path / "result.json")
    result.path.unlink()
    result.path.symlink_to(tmp_path / "secret.json")
    with pytest.raises(AppError):
        chalice_answer.read(ENDED, result, make_source(tmp_path))


def test_a_message_is_cleaned_and_bounded(tmp_path: Path) -> None:
    with pytest.raises(AppError) as raised:
        read(tmp_path, {"error": {"kind": "import", "message": "x" * 100_000 + "\x1b[31m\x07the end"}})
    assert raised.value.message.endswith("the end")
    assert raised.value.message.isprintable() or "\n" in raised.value.message
    assert "\x1b" not in raised.value.message
    assert len(raised.value.message) < 10_000


def test_too_much_output_fails_the_app(tmp_path: Path) -> None:
    with pytest.raises(AppError) as raised:
        read(tmp_path, GOOD, Outcome(-15, "", 1.0, "output"))
    assert raised.value.code == Code.TOO_MUCH_OUTPUT


def test_a_compiler_that_never_began_is_our_failure(tmp_path: Path) -> None:
    result = ResultFile(tmp_path / "result.json")
    with pytest.raises(RuntimeError, match="No module named chalice"):
        chalice_answer.read(Outcome(1, "No module named chalice", 0.1), result, make_source(tmp_path))
