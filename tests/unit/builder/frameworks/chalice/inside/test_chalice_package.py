"""chalice is imported in the compiler's own Python, without what only its calls to AWS need."""

from __future__ import annotations

from pathlib import Path

import pytest
from compiler_python import run_after

import builder.frameworks.chalice

_SCRIPT = Path(builder.frameworks.chalice.__file__).with_name("inside") / "chalice_package.py"
_FOR_CALLS = ["botocore.loaders", "botocore.session", "botocore.utils", "urllib3"]


def run(code: str) -> str:
    return run_after(_SCRIPT, code)


def test_what_calls_aws_is_not_loaded_with_chalice() -> None:
    assert run(f"print([name for name in {_FOR_CALLS} if name in sys.modules])") == "[]"


def test_endpoints_and_principals_are_named_without_it() -> None:
    client = "client = chalice_package.LocalClient('cn-north-1')"
    told = "print(client.endpoint_dns_suffix('sqs', 'cn-north-1'), client.region_name)"
    assert run(f"{client}; {told}; print('botocore.session' in sys.modules)").split() == [
        "amazonaws.com.cn",
        "cn-north-1",
        "False",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("from botocore.session import Session; print(Session().get_config_variable('profile'))", "None"),
        (
            "import botocore.session as it; print(type(it).__name__, it.get_session.__module__)",
            "module botocore.session",
        ),
        ("from botocore.utils import datetime2timestamp as it; print(it.__module__)", "botocore.utils"),
        ("import botocore.loaders as it; print(it.create_loader.__module__)", "botocore.loaders"),
    ],
)
def test_an_app_finds_the_libraries_themselves(code: str, told: str) -> None:
    assert run(code) == told
