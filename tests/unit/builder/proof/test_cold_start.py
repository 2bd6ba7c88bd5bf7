"""What Lambda would refuse to start fails here first, with an error that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from binaries import TAGGED, foreign, needing, newer

from auto_lambda.errors import AppError, Code

HANDLER = "def handler(event, context):\n    return {'event': event}\n"


def refused(proving: Any, *files: Any, **more: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        proving(*files, **more)
    error = caught.value
    assert "/code/" not in error.message
    assert str(proving.folder) not in error.message, "a path of this machine"
    return error


def test_a_package_that_starts_is_measured(proving: Any) -> None:
    said: list[str] = []
    proof = proving(
        {"app.py": "import helper\n" + HANDLER}, site={"helper.py": "print('hello from the layer')\n"}, said=said
    )
    assert proof.init_ms is not None
    assert 0 < proof.init_ms < 10_000
    assert proof.package_bytes == len("import helper\n" + HANDLER) + 70
    assert proof.package_zip_bytes == 9 + 5
    assert proof.warnings == ()
    assert "hello from the layer" in said
    assert any("Main starts" in line for line in said)


LOOKS = """
import json, os, sys
import boto3
seen = {name: os.environ.get(name) for name in sorted(os.environ)}
seen["path"] = sys.path[:4]
seen["cwd"] = os.getcwd()
seen["home"] = os.path.expanduser("~")
seen["boto3"] = boto3.__file__
open("/tmp/ok", "w").write("tmp is writable")
print("SEEN " + json.dumps(seen))
def handler(event, context): pass
"""


def test_a_function_sees_what_it_would_see_on_lambda(proving: Any) -> None:
    said: list[str] = []
    functions = {"Main": {"MemorySize": 256, "Environment": {"Variables": {"COLOR": "red", "TABLE": {"Ref": "Table"}}}}}
    proving({"app.py": LOOKS}, site={"nothing.py": ""}, functions=functions, said=said)
    seen = json.loads(next(line for line in said if line.startswith("SEEN "))[5:])
    assert seen["path"] == ["/var/task", "/opt/python/lib/python3.12/site-packages", "/opt/python", "/var/runtime"]
    assert seen["home"].startswith("/")
    assert seen["cwd"] == seen["LAMBDA_TASK_ROOT"] == "/var/task"
    assert seen["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert seen["boto3"].startswith("/var/runtime/")
    assert (seen["COLOR"], seen["TABLE"], seen["_HANDLER"], seen["TZ"]) == ("red", "Table", "app.handler", ":UTC")
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert "/opt/lib" in seen["LD_LIBRARY_PATH"].split(":")
    assert seen["AWS_ACCESS_KEY_ID"] == seen["AUTO_LAMBDA_RELEASE"] == "proof"


SETTINGS = """
import os, sys
ok = sys.flags.optimize == 1 and os.environ["PYTHONOPTIMIZE"] == "1" and os.environ["PYTHONHASHSEED"] == "7"
ok = ok and sys.flags.hash_randomization == 1 and os.environ["LD_BIND_NOW"] == "1"
ok = ok and "_PROOF_PYTHONPATH" not in os.environ
sys.stdout.write("SETTINGS " + str(ok))
def handler(event, context): pass
"""


@pytest.mark.parametrize("by", ["options", "template"])
def test_what_an_app_sets_for_python_and_the_loader_holds_in_the_proof(proving: Any, by: str) -> None:
    said: list[str] = []
    own = {"PYTHONOPTIMIZE": "1", "PYTHONHASHSEED": "7", "LD_BIND_NOW": "1"}
    if by == "options":
        proving({"app.py": SETTINGS}, environment=own, said=said)
    else:
        proving({"app.py": SETTINGS}, functions={"Main": {"Environment": {"Variables": own}}}, said=said)
    assert "SETTINGS True" in said


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "PYTHONMALLOC", "PYTHONIOENCODING"])
def test_a_variable_with_which_python_does_not_start_fails_in_the_proof(proving: Any, name: str) -> None:
    error = refused(proving, {"app.py": HANDLER}, environment={name: "nonsense"})
    assert error.code is Code.ENDED_AT_START


def test_without_isolation_the_same_package_starts_where_it_lies(proving_plainly: Any) -> None:
    proof = proving_plainly({"app.py": "import helper, boto3\n" + HANDLER}, site={"helper.py": ""})
    assert proof.init_ms is not None


BROKEN = [
    ("dependency", "import nobodys_module\n", Code.APP_DOES_NOT_IMPORT, "app.py", "nobodys_module"),
    ("syntax", "def broken(:\n", Code.SYNTAX_ERROR, "app.py, line 1", "Python 3.12"),
    ("no handler", "def other(): pass\n", Code.HANDLER_MISSING, "app.handler", "settings"),
    ("slow", "import time\ntime.sleep(60)\n", Code.INIT_TOO_SLOW, "2 seconds", "inside functions"),
    ("slow where", "import time\ndef wait():\n    time.sleep(60)\nwait()\n", Code.INIT_TOO_SLOW,
     '  File "app.py", line 4, in <module>\n  File "app.py", line 3, in wait', "inside functions"),
    ("task root", "open('cache.db', 'w')\n", Code.WRITES_TO_READ_ONLY, "cache.db", "/tmp"),
    ("exits", "import os\nos._exit(3)\n", Code.ENDED_AT_START, "status 3", "os._exit"),
    ("sys.exit", "import sys\nsys.exit(4)\n", Code.APP_DOES_NOT_IMPORT, "SystemExit: 4", "__main__"),
    ("crash", "import ctypes\nctypes.string_at(0)\n", Code.ENDED_AT_START, 'File "app.py", line 2', "native"),
    ("library", "import ctypes\nctypes.CDLL('libno.so.7')\n", Code.MISSING_LIBRARY, "libno.so.7", "lib/"),
    ("memory", "hog = b'x' * 300_000_000\n" + HANDLER, Code.MEMORY_SIZE_TOO_SMALL, "128 MB", "memory_size"),
    ("variable", "import os\nos.environ['TOKEN']\n", Code.MISSING_ENVIRONMENT, "TOKEN", "auto-lambda.toml"),
    ("AWS", "import boto3\nboto3.client('sts').get_caller_identity()\n", Code.NEEDS_AWS, "app.py", "first needed"),
    ("network", "import urllib.request as r\nr.urlopen('http://example.com')\n", Code.APP_DOES_NOT_IMPORT, "app.py",
     "no network"),
    ("raises", "1 / 0\n", Code.APP_DOES_NOT_IMPORT, "ZeroDivisionError", "last lines"),
]  # fmt: skip


@pytest.mark.parametrize(("app", "code", "message", "hint"), [pytest.param(*case, id=name) for name, *case in BROKEN])
def test_what_does_not_start_fails_with_an_error_to_act_on(
    proving: Any, app: str, code: Code, message: str, hint: str
) -> None:
    proving.init_seconds = 2.0 if "sleep" in app else 10.0
    error = refused(proving, {"app.py": app})
    assert error.code == code, error
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ({f"_fast.{TAGGED}.so": needing("libq.so.6")}, Code.MISSING_LIBRARY, "libq.so.6"),
        ({"_fast.cpython-311-x86_64-linux-gnu.so": needing("libc.so.6")}, Code.WRONG_PYTHON_ABI, "cpython-311"),
        ({f"_fast.{TAGGED}.so": foreign()}, Code.WRONG_ARCHITECTURE, "arm64"),
        ({f"_fast.{TAGGED}.so": newer()}, Code.GLIBC_TOO_NEW, "2.999"),
    ],
    ids=["library", "Python", "architecture", "glibc"],
)
def test_native_code_that_lambda_cannot_load_is_found_without_running_it(
    proving: Any, files: dict[str, bytes], code: Code, message: str
) -> None:
    record = {"fast-1.2.dist-info/RECORD": "".join(f"{name},,\n" for name in files)}
    error = refused(proving, {"app.py": HANDLER}, site={**files, **record})
    assert error.code == code
    assert "(of fast 1.2)" in error.message
    assert message in error.message


def test_an_app_that_ends_the_server_beside_it_is_its_own_failure(proving: Any) -> None:
    assert refused(proving, {"app.py": "import os\nos.kill(os.getppid(), 9)\n"}).code == Code.RESULT_TAMPERED


def test_a_variable_of_the_function_is_there(proving: Any) -> None:
    functions = {"Main": {"Environment": {"Variables": {"TOKEN": "1"}}}}
    assert proving({"app.py": "import os\nos.environ['TOKEN']\n" + HANDLER}, functions=functions).init_ms is not None


def test_an_app_that_needs_what_slim_leaves_out_is_told_so(proving: Any) -> None:
    files = {"app.py": "import shop.tests.helpers\n"}
    assert "slim" not in refused(proving, files, site={"shop/__init__.py": ""}).hint
    proving.slim, proving.folder = True, proving.folder / "slim"
    proving.folder.mkdir()
    assert "remove slim from auto-lambda.toml" in refused(proving, files, site={"shop/__init__.py": ""}).hint


def test_a_module_that_an_extra_of_the_app_brings_is_told_with_the_line_to_write(proving: Any) -> None:
    project = "[project]\ndependencies = []\n[project.optional-dependencies]\nprod = ['humanize']\n"
    files = {"app.py": "import humanize\n" + HANDLER, "pyproject.toml": project}
    assert 'write extras = ["prod"] into auto-lambda.toml' in refused(proving, files).hint


def test_each_distinct_start_is_tried(proving: Any) -> None:
    functions = {
        "Main": {},
        "Alike": {"Handler": "app.other"},
        "Job": {"Environment": {"Variables": {"MODE": "job"}}},
    }
    app = HANDLER + "other = handler\nimport os\nassert os.environ.get('MODE') != 'job', 'no jobs today'\n"
    error = refused(proving, {"app.py": app}, functions=functions)
    assert error.message.startswith("Job (app.handler) does not start")
    assert "no jobs today" in error.message


def test_a_handler_of_another_function_is_looked_up_without_another_start(proving: Any) -> None:
    said: list[str] = []
    functions = {
        "Main": {"Environment": {"Variables": {"MODE": "1"}}},
        "Alike": {"Handler": "app.missing", "Environment": {"Variables": {"MODE": "1"}}},
    }
    error = refused(proving, {"app.py": "print('loaded')\n" + HANDLER}, functions=functions, said=said)
    assert error.code == Code.HANDLER_MISSING
    assert "Alike would call app.missing" in error.message
    assert said.count("loaded") == 1


LAZY = "def handler(event, context):\n    import shop\n    return {'statusCode': shop.STATUS}\n"


@pytest.mark.parametrize(
    ("shop", "code", "message"),
    [
        ("import nobody\n", Code.APP_DOES_NOT_IMPORT, 'File "shop.py", line 1'),
        ("import os\nos.environ['TOKEN']\n", Code.MISSING_ENVIRONMENT, "TOKEN"),
        ("import time\ntime.sleep(9)\n", Code.INIT_TOO_SLOW, "first request after 1 seconds"),
        ("import time\n\n\ntime.sleep(9)\n", Code.INIT_TOO_SLOW, '  File "shop.py", line 4, in <module>'),
    ],
)
def test_an_app_that_loads_at_its_first_request_gets_one(proving: Any, shop: str, code: Code, message: str) -> None:
    error = refused(
        proving,
        {"app.py": LAZY, "shop.py": shop},
        functions={"Main": {"Timeout": 1}},
        first_event={"httpMethod": "GET"},
    )
    assert error.code == code
    assert message in error.message


def test_an_answer_of_any_status_counts_as_started(proving: Any) -> None:
    proof = proving({"app.py": LAZY, "shop.py": "STATUS = 500\n"}, first_event={"httpMethod": "GET"})
    assert proof.init_ms is not None


def test_what_is_called_later_is_looked_up_now(proving: Any) -> None:
    error = refused(proving, {"app.py": HANDLER, "jobs.py": ""}, called={"events[0].function": "jobs.nightly"})
    assert error.code == Code.HANDLER_MISSING
    assert "events[0].function would call jobs.nightly" in error.message


def test_where_variables_come_from_elsewhere_a_failing_start_is_a_warning(proving: Any) -> None:
    proof = proving({"app.py": "import os\nos.environ['TOKEN']\n" + HANDLER}, remote_environment=True)
    assert proof.init_ms is None
    assert "TOKEN" in proof.warnings[0]


def test_a_package_for_another_architecture_is_audited_only(proving: Any) -> None:
    proof = proving({"app.py": "1 / 0\n"}, architecture="arm64")
    assert proof.init_ms is None
    assert "arm64" in proof.warnings[0]
