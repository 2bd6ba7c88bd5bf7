from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from builder.model import Options, Packaging, Retention, Throttle
from builder.source import options

EVERYTHING = """
framework = "zappa"
root = "services/api"
python = "python3.12"
architecture = "arm64"
health_path = "/health?deep=1"
[stages]
prod = "production"
[environment]
TABLE = "orders"
EMPTY = ""
[retention]
releases = 3
log_days = 14
[package]
slim = true
"""


def read(tmp_path: Path, text: str) -> Options:
    (tmp_path / "auto-lambda.toml").write_text(text)
    return options.read(tmp_path, "top/")


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    assert read(tmp_path, EVERYTHING) == Options(
        framework="zappa",
        root="services/api",
        python="3.12",
        architecture="arm64",
        stages={"prod": "production"},
        health_path="/health?deep=1",
        environment={"TABLE": "orders", "EMPTY": ""},
        retention=Retention(releases=3, log_days=14),
        package=Packaging(slim=True),
    )


def test_a_python_path_leads_to_the_dependencies_too(tmp_path: Path) -> None:
    assert read(tmp_path, '[environment]\nPYTHONPATH = "src"\n').environment == {"PYTHONPATH": "src:/opt/python"}


def test_no_file_and_an_empty_one_say_nothing(tmp_path: Path) -> None:
    assert options.read(tmp_path) == Options() == read(tmp_path, "")


def test_unknown_settings_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, 'health-path = "/"')

    assert "'health-path'" in caught.value.message
    for known in ("framework", "root", "python", "architecture", "stages", "health_path", "environment"):
        assert known in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        'framework = "flask"', "framework = 1", 'root = "/etc"', 'root = "../other"', 'root = "a\\\\b"', 'root = ""',
        "root = 1", "python = 3.10", 'stages = "prod"', "stages = {prod = 1}", 'stages = {Prod = "x"}',
        'stages = {prod = ""}', 'health_path = "health"', 'health_path = "//elsewhere/"', 'health_path = "/a b"',
        'health_path = "/\\\\elsewhere"', 'health_path = "/\\u0007"', 'environment = ["A=1"]',
        "environment = {NUMBER = 1}", 'environment = {"A-B" = "1"}', 'environment = {_HIDDEN = "1"}',
        'environment = {AWS_REGION = "x"}', 'environment = {LAMBDA_TASK_ROOT = "x"}',
        f'environment = {{LARGE = "{"x" * 4096}"}}', "framework = ",
    ],
)  # fmt: skip
def test_values_of_the_wrong_kind_are_refused_naming_the_file(tmp_path: Path, line: str) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, line)

    assert caught.value.code == Code.BAD_CONFIG
    assert caught.value.message.startswith("top/auto-lambda.toml: ")


@pytest.mark.parametrize(
    ("line", "code"), [('python = "latest"', Code.UNKNOWN_PYTHON), ('architecture = "mips"', Code.UNKNOWN_ARCHITECTURE)]
)
def test_pythons_and_architectures_have_their_own_codes(tmp_path: Path, line: str, code: Code) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, line)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("releases = 0", "retention.releases is 0"),
        ("releases = 101", "retention.releases is 101"),
        ("releases = true", "retention.releases is True"),
        ('releases = "3"', "retention.releases is '3'"),
        ("log_days = 31", "retention.log_days is 31"),
        ("versions = 3", "unknown setting 'versions' in [retention]"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, f"[retention]\n{line}\n")
    assert (caught.value.code, said in caught.value.message) == (Code.BAD_CONFIG, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[package]\nslim = 1", "package.slim is 1"),
        ('[package]\nslim = "true"', "package.slim is 'true'"),
        ("[package]\nthin = true", "unknown setting 'thin' in [package]"),
        ("package = true", "package is not a table"),
    ],
)
def test_a_package_is_slim_or_not(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, text)
    assert (caught.value.code, said in caught.value.message) == (Code.BAD_CONFIG, True)


def test_logs_may_stay_for_ever(tmp_path: Path) -> None:
    assert read(tmp_path, "[retention]\nlog_days = 0\n").retention == Retention(log_days=0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            r'health_path = "/\r\nHost: evil"',
            r"health_path '/\r\nHost: evil' contains a line end or another control character",
        ),
        (r'root = "a\u202eb"', r"root 'a\u202eb' contains a line end or another control character"),
        ('root = ""', "root is empty"),
        ("health_path = 1", "health_path is not a string"),
        ('environment = {PYTHONHOME = "/x"}', "with PYTHONHOME, Python does not find its own library"),
        ('environment = {PYTHONSAFEPATH = "1"}', "with PYTHONSAFEPATH, Python does not find its own library"),
        ('environment = {PYTHONPLATLIBDIR = "x"}', "with PYTHONPLATLIBDIR, Python does not find its own library"),
        ('environment = {PYTHONEXECUTABLE = "x"}', "with PYTHONEXECUTABLE, Python does not find its own library"),
        ('environment = {AUTO_LAMBDA_RELEASE = "x"}', "Auto-Lambda sets AUTO_LAMBDA_RELEASE itself"),
        ('environment = {AWS_SESSION_TOKEN = "x"}', "Lambda sets AWS_SESSION_TOKEN itself"),
        (r'environment = {AB = "a\u0000b"}', "environment.AB contains a null character"),
        ("environment = {AB = 1}", "environment.AB is not a string"),
    ],
)
def test_what_is_wrong_with_a_text_is_told_in_the_right_words(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, line)
    assert told in caught.value.message
    assert caught.value.message.isprintable()


def test_a_throttle_has_a_rate_and_a_burst(tmp_path: Path) -> None:
    assert read(tmp_path, "[throttle]\nrate = 0.5\nburst = 20\n").throttle == Throttle(0.5, 20)


@pytest.mark.parametrize(
    "lines",
    ["rate = 5", "rate = 5\nburst = 0", "rate = 0\nburst = 5", "rate = true\nburst = 5", "rate = 5\nburst = 1.5",
     "rate = 5\nburst = 5001", "rate = 10001\nburst = 5", "rate = nan\nburst = 5", "rate = 5\nburst = 5\nother = 1"],
)  # fmt: skip
def test_another_throttle_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(AppError) as refused:
        read(tmp_path, f"[throttle]\n{lines}\n")
    assert "throttle" in refused.value.message


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('manage = "migrate --noinput"', {"manage": "migrate --noinput"}),
        ('call = "tasks.prepare"', {"command": "tasks.prepare"}),
    ],
)
def test_a_release_command_is_the_event_that_zappas_handler_takes(
    tmp_path: Path, line: str, event: dict[str, str]
) -> None:
    assert read(tmp_path, f"[release]\n{line}\n").release == event


@pytest.mark.parametrize(
    "lines",
    [
        "",
        'manage = "a"\ncall = "b.c"',
        'raw = "x"',
        "manage = 1",
        'call = "no_module"',
        'call = "os.system(1)"',
        'manage = ""',
    ],
)
def test_another_release_command_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(AppError) as refused:
        read(tmp_path, f"[release]\n{lines}\n")
    assert "release" in refused.value.message


def test_an_app_that_moves_to_fargate_shares_no_calls(tmp_path: Path) -> None:
    flex, traffic = "[flex]\nabove = 200\nbelow = 100\n", '[traffic]\ncanary = {percent = 10, interval = "10m"}\n'
    read(tmp_path, flex)
    read(tmp_path, traffic)
    with pytest.raises(AppError, match=r"\[flex\] and \[traffic\] are both there") as caught:
        read(tmp_path, flex + traffic)
    assert caught.value.code is Code.BAD_CONFIG
