"""A function's process is kept from the real AWS, whatever the version of its boto3."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auto_lambda_cli.local_stack.emulator import prologue

ENDPOINT = "http://127.0.0.1:1"
CLIENT = """
class ClientCreator:
    def create_client(self, service_name, region_name, is_secure=True, endpoint_url=None, verify=None):
        return endpoint_url
"""


def in_function(tmp_path: Path, code: str, botocore: str = "1.26.0", search: str = "") -> Any:
    """What code prints as JSON in the process of a function with some version of botocore."""
    package = tmp_path / "task" / "code" / "botocore"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"__version__ = {botocore!r}\n")
    (package / "client.py").write_text(CLIENT)
    program = Path(prologue.__file__).read_text() + "\nprepare(('SECRET',), 'AWS_Lambda_python3.12')\n" + code
    (tmp_path / "task" / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, tmp_path / "task" / "program.py"], cwd=package.parent, check=True, capture_output=True,
        text=True, env={"AWS_ENDPOINT_URL": ENDPOINT, "SECRET": "x", "PYTHONPATH": f"{search}:{package.parent}"},
    )  # fmt: skip
    return json.loads(done.stdout)


def test_lambdas_folder_of_the_code_on_pythonpath_is_the_functions_own(tmp_path: Path) -> None:
    code = "import json; print(json.dumps(sys.path))"
    found = in_function(tmp_path, code, search="/var/task/lib:/var/task:/var/tasks")
    assert found[:3] == [str(tmp_path / "task" / "code" / "lib"), str(tmp_path / "task" / "code"), "/var/tasks"]


MAKE = """
import json
import botocore.client
make = botocore.client.ClientCreator().create_client
print(json.dumps([make("s3", "us-east-1"), make("s3", "us-east-1", True, None), make("s3", "x", endpoint_url="http://own")]))
"""


@pytest.mark.parametrize(("version", "endpoint"), [
    ("1.4.70", ENDPOINT), ("1.30.1", ENDPOINT), ("1.31.0", None), ("1.40.2", None), ("2.0.0dev1", None),
])  # fmt: skip
def test_clients_that_read_no_endpoint_are_given_it(tmp_path: Path, version: str, endpoint: str | None) -> None:
    assert in_function(tmp_path, MAKE, version) == [endpoint, endpoint, "http://own"]


@pytest.mark.parametrize("version", ["1.26.0", "1.40.2"])
@pytest.mark.parametrize("host", ["localhost", "localhost:4566", "us-east-1.amazonaws.com"])
def test_a_websocket_api_is_answered_on_the_stack(tmp_path: Path, version: str, host: str) -> None:
    code = MAKE.replace("http://own", f"https://ab12.execute-api.{host}/dev")
    assert in_function(tmp_path, code, version)[-1] == f"{ENDPOINT}/_aws/execute-api/ab12/dev"


CONNECT = """
import json, socket, sys
def refusal(call, *arguments):
    try:
        return call(*arguments) and None
    except OSError as error:
        return str(error)
print(json.dumps([
    refusal(socket.getaddrinfo, "s3.amazonaws.com", 443),
    refusal(socket.getaddrinfo, b"SQS.us-east-1.amazonaws.com.", 443),
    refusal(socket.gethostbyname, "x.lambda-url.us-east-1.on.aws"),
    refusal(sys.audit, "socket.connect", None, ("sts.cn-north-1.amazonaws.com.cn", 443)),
    refusal(socket.getaddrinfo, "127.0.0.1", 443),
]))
"""


def test_the_names_of_the_real_aws_lead_nowhere(tmp_path: Path) -> None:
    *refused, own = in_function(tmp_path, CONNECT)
    assert all("functions of a local stack do not reach it" in one for one in refused)
    assert own is None


def test_the_emulators_variables_are_hidden_and_temporary_files_are_its_own(tmp_path: Path) -> None:
    code = "import json; print(json.dumps([tempfile.gettempdir(), 'SECRET' in os.environ, sys.path]))"
    temporary, secret, path = in_function(tmp_path, code)
    assert (temporary, secret) == (str(tmp_path / "task" / "tmp"), False)
    assert str(tmp_path / "task") not in path
