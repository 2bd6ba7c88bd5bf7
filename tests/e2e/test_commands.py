"""The commands about a deployed app, each against one app on a running stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from e2e_stack import AUTO_LAMBDA, Drop, Stack, make_zip, small_zappa, until
from terminal import Terminal

WSGI = """
import os


def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/secret"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [os.environ.get("TOKEN", "none").encode()]
    print("asked for", environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ.get("GREETING", "nobody").encode()]


def tidy(*_):
    print("tidied up")
    return {"tidied": True}
"""


def asked_zip() -> bytes:
    settings = {"app_function": "app.app", "project_name": "asked"}
    stages = {stage: {**settings, "environment_variables": {"GREETING": f"from {stage}"}} for stage in ("dev", "prod")}
    files = {"app.py": WSGI, "zappa_settings.json": json.dumps(stages), "requirements.txt": "iniconfig\n"}
    return make_zip(files)


@pytest.fixture(scope="module")
def stack(started: Stack) -> Stack:
    """The shared stack, without the apps that other tests drop."""
    return started


@pytest.fixture(scope="module")
def receipt(stack: Stack) -> dict[str, Any]:
    return stack.live(stack.drop("dev/asked", asked_zip()))


def told(stack: Stack, *arguments: str) -> Any:
    done = stack.cli(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_status_releases_and_url_tell_of_what_is_live(stack: Stack, receipt: dict[str, Any]) -> None:
    state = told(stack, "status", "asked")
    assert (state["live"]["release"], state["live"]["url"]) == (receipt["upload"]["version"], receipt["url"])
    assert (state["live"]["framework"], state["under_way"], state["unknown"]) == ("zappa", None, [])
    assert state["live"]["by"]
    (release,) = told(stack, "releases", "asked")
    assert (release["live"], release["restorable"], release["outcome"]) == (True, True, "live")
    assert stack.cli("url", "asked").stdout == f"{receipt['url']}\n"


def test_what_runs_is_invoked_commanded_and_read(stack: Stack, receipt: dict[str, Any]) -> None:
    answer = told(stack, "invoke", "asked", "--event", "sample:rest-api")
    assert (answer["error"], answer["payload"]["statusCode"]) == (None, 200)
    done = stack.cli("run", "asked", "--call", "--", "app.tidy")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"tidied": True}), done.stderr
    done = stack.cli("run", "asked", "--python", "--", "print(6 * 7)")
    assert (done.returncode, "42" in done.stderr.splitlines()) == (0, True), done.stderr

    def logged() -> str | None:
        lines = stack.cli("logs", "asked", "--runtime", "--filter", "tidied").stdout
        return lines if "tidied up" in lines else None

    until(logged, 30)


def test_an_event_comes_from_a_file_from_standard_input_or_is_a_sample(
    stack: Stack, receipt: dict[str, Any], tmp_path: Path
) -> None:
    event = json.dumps({"command": "app.tidy"})
    file = tmp_path / "event.json"
    file.write_text(event)
    for given, typed in ((str(file), ""), ("-", event)):
        done = stack.cli("invoke", "asked", "--event", given, typed=typed)
        assert (done.returncode, json.loads(done.stdout)) == (0, {"tidied": True}), done.stderr
        assert "tidied up" in done.stderr
    sample = stack.cli("invoke", "asked", "--event", "sample:sqs")
    assert sample.returncode == 0, sample.stderr
    nothing = stack.cli("invoke", "asked", "--function", "nothere")
    assert (nothing.returncode, "has no function nothere" in nothing.stderr) == (1, True)


def test_the_runtime_log_is_followed_until_ctrl_c(stack: Stack, receipt: dict[str, Any]) -> None:
    command = [str(AUTO_LAMBDA), "logs", "asked", "--runtime", "-f", "--since", "1h", "--filter", '"asked for /sought"']
    assert stack.http(f"{receipt['url']}sought").status == 200
    with subprocess.Popen(command, env=stack.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().rstrip().endswith("asked for /sought")
            assert stack.http(f"{receipt['url']}sought/again").status == 200
            assert process.stdout.readline().rstrip().endswith("asked for /sought/again")
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    told = stack.cli("logs", "asked", "--runtime", "--since", "1h", "--json").stdout.splitlines()
    assert any("/sought" in json.loads(line)["message"] for line in told)


def test_the_log_of_a_deployment_can_be_followed_after_its_end(stack: Stack, receipt: dict[str, Any]) -> None:
    done = stack.cli("logs", "asked", "--follow")
    assert (done.returncode, "live" in done.stdout.splitlines()[-1]) == (0, True)


def test_open_gives_the_url_to_the_browser(stack: Stack, receipt: dict[str, Any], tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    done = stack.cli("open", "asked", BROWSER=f"{browser} %s")
    assert (done.returncode, done.stdout) == (0, f"{receipt['url']}\n"), done.stderr
    assert until(lambda: opened.exists() and opened.read_text(), 10) == f"{receipt['url']}\n"


def test_names_complete_in_a_shell_that_has_completion_installed(
    stack: Stack, receipt: dict[str, Any], tmp_path: Path
) -> None:
    environ = {
        **stack.environ, "HOME": str(tmp_path), "PATH": f"{AUTO_LAMBDA.parent}:{os.environ['PATH']}", "PS1": "$ ",
    }  # fmt: skip
    with Terminal(["bash", "--noprofile", "-i"], environ) as shell:
        shell.type("auto-lambda --install-completion bash\n")
        shell.until(lambda: "completion installed" in shell.raw)
        shell.type("exec bash --noprofile -i\n")
        shell.type("echo ready$((40 + 2))\n")
        shell.until(lambda: "ready42" in shell.raw)
        shell.type("auto-lambda url ask\t")
        shell.until(lambda: any(line.endswith("auto-lambda url asked") for line in shell.lines))
        shell.type("\n")
        shell.until(lambda: receipt["url"] in shell.raw)


def test_promoted_it_has_the_same_layer_and_the_settings_of_the_stage(stack: Stack, receipt: dict[str, Any]) -> None:
    promoted = told(stack, "promote", "asked", "--from", "dev", "--to", "prod")
    assert (promoted["status"], promoted["stage"]) == ("live", "prod")
    assert promoted["upload"]["sha256"] == receipt["upload"]["sha256"]
    assert stack.http(promoted["url"]).text == "from prod"
    assert promoted["warnings"] == receipt["warnings"]
    log = stack.log(Drop("apps/prod/asked.zip", ""))
    assert "the packages of the release that is promoted" in log
    layers = [layer_of(stack, f"asked-{stage}") for stage in ("dev", "prod")]
    assert layers[0] == layers[1]


def test_configuration_takes_the_place_of_the_zips_until_it_is_unset(stack: Stack, receipt: dict[str, Any]) -> None:
    changed = told(stack, "config", "asked", "set", "GREETING=configured")
    assert (changed["status"], changed["url"]) == ("live", receipt["url"])
    assert set(changed["timings"]) == {"fetch", "deploy", "verify"}, "nothing is built for it"
    assert changed["version"] != receipt["version"]
    assert stack.http(receipt["url"]).text == "configured"
    dropped = stack.live(stack.drop("dev/asked", asked_zip()))
    assert stack.http(dropped["url"]).text == "configured"
    assert told(stack, "config", "asked") == [{"key": "GREETING", "value": "configured", "secret": False}]
    assert told(stack, "config", "asked", "unset", "GREETING")["status"] == "live"
    assert stack.http(receipt["url"]).text == "from dev"


def test_a_secret_of_one_stage_is_read_from_standard_input_and_shown_nowhere(
    stack: Stack, receipt: dict[str, Any]
) -> None:
    secret = "correct-horse-battery"
    done = stack.cli("config", "asked", "set", "TOKEN", "--secret", typed=f"{secret}\n")
    assert (done.returncode, secret in done.stdout + done.stderr) == (0, False), done.stderr
    assert stack.http(f"{receipt['url']}secret").text == secret
    listed = stack.cli("config", "asked")
    assert listed.stdout == "TOKEN=(secret)\n"
    assert told(stack, "config", "asked") == [{"key": "TOKEN", "value": None, "secret": True}]
    assert told(stack, "config", "asked", "list", "--stage", "prod") == []
    assert secret not in stack.cli("logs", "asked").stdout
    assert stack.cli("config", "asked", "unset", "TOKEN").returncode == 0


def test_a_short_id_names_the_release_to_go_back_to(stack: Stack, receipt: dict[str, Any]) -> None:
    first = receipt["upload"]["version"]
    done = stack.cli("rollback", "asked", "--to", first[:8])
    assert (done.returncode, done.stdout) == (0, f"{receipt['url']}\n"), done.stderr
    assert told(stack, "status", "asked")["live"]["version"]
    too_short = stack.cli("rollback", "asked", "--to", first[:3])
    assert (too_short.returncode, "too short" in too_short.stderr) == (2, True)


def test_a_release_command_runs_first_and_stops_what_it_fails_for(stack: Stack, receipt: dict[str, Any]) -> None:
    files = {**small_zappa(), "auto-lambda.toml": '[release]\ncall = "app.prepare"\n'}
    prepared = 'def prepare(*_):\n    print("prepared")\n'
    good = {**files, "app.py": str(files["app.py"]) + prepared}
    live = stack.live(first := stack.drop("released", make_zip(good)))
    assert stack.http(live["url"]).text == "small"
    assert "prepared" in stack.log(first)
    bad = {**good, "app.py": str(good["app.py"]).replace("small", "bad").replace("print(", "raise RuntimeError(")}
    failed = stack.final(stack.drop("released", make_zip(bad)))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "release-failed")
    assert stack.http(live["url"]).text == "small"


def test_a_watched_folder_is_deployed_on_each_save(stack: Stack, tmp_path: Path) -> None:
    code = tmp_path / "app.py"
    (tmp_path / "zappa_settings.json").write_bytes(str(small_zappa()["zappa_settings.json"]).encode())
    code.write_text(str(small_zappa()["app.py"]))
    command = [str(AUTO_LAMBDA), "watch", str(tmp_path), "--name", "watched"]
    with subprocess.Popen(command, env=stack.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert stack.http(url).text == "small"
        code.write_text(code.read_text().replace("small", "saved"))
        assert process.stdout.readline().strip() == url
        assert stack.http(url).text == "saved"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def layer_of(stack: Stack, function: str) -> str:
    """The hash of the layer that a live function has."""
    (layer,) = stack.lambda_.get_function_configuration(FunctionName=function, Qualifier="live")["Layers"]
    described = stack.lambda_.get_layer_version_by_arn(Arn=layer["Arn"])
    return str(described["Content"]["CodeSha256"])
