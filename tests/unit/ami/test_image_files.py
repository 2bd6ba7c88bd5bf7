"""What the image's files promise each other."""

from __future__ import annotations

import configparser
import json
import re
import stat
import subprocess
from pathlib import Path

import pytest
from iam.template import PipelineStack
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from auto_lambda.runtimes import RUNTIMES

AMI = Path(__file__).resolve().parents[3] / "ami"
AGENT = AMI / "rootfs/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json"


def test_steps_are_executable_and_stop_at_the_first_error() -> None:
    steps = sorted(AMI.glob("provision/[0-9]*.sh"))
    assert [step.stem for step in steps[-2:]] == ["80-cleanup", "90-validate"]
    for step in (*steps, AMI / "provision/all.sh"):
        assert step.stat().st_mode & stat.S_IXUSR, step.name
        assert '. "$(dirname "$0")/lib.sh"' in step.read_text(), step.name
    assert "set -euo pipefail" in (AMI / "provision/lib.sh").read_text()


UNITS = AMI.parent / "systemd"
OF_FILES = {"file_path", "log_group_name", "log_stream_name", "retention_in_days"}
"""Of the settings that the agent documents for files; it ignores those that it does not know."""


def written_by(unit: str) -> str:
    """The log file that a unit tells its program to write, in a folder that systemd makes for it."""
    text = (UNITS / f"autolambda-{unit}.service").read_text()
    (file,) = re.findall(r"^Environment=.*\bAUTO_LAMBDA_LOG_FILE=(\S+)$", text, re.MULTILINE)
    assert "\nLogsDirectory=%N\n" in text
    return str(file).replace("%L", "/var/log").replace("%N", f"autolambda-{unit}")


@pytest.mark.parametrize("unit", ["worker", "checker"])
def test_a_daemon_has_a_folder_for_the_settings_of_its_fleet(unit: str) -> None:
    """Else it looks for a home, which the checker's dynamic user does not have, and ends."""
    assert "\nRuntimeDirectory=%N\n" in (UNITS / f"autolambda-{unit}.service").read_text()


def test_the_cloudwatch_agent_collects_disk_memory_and_the_files_that_our_units_write() -> None:
    """Not their journals: the agent wraps each line of a journal, and no metric filter sees into it."""
    agent = json.loads(AGENT.read_text())
    assert agent["logs"]["logs_collected"].keys() == {"files"}
    files = agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert {file["log_group_name"]: file["file_path"] for file in files} == {
        "/auto-lambda/worker": written_by("worker"),
        "/auto-lambda/checker": written_by("checker"),
    }
    assert {name for file in files for name in file} == OF_FILES
    assert agent["agent"]["run_as_user"] == "root"  # the files are readable by their writers alone
    assert agent["metrics"]["metrics_collected"].keys() == {"disk", "mem"}


@pytest.mark.parametrize("unit", ["worker", "checker"])
def test_a_machine_tells_its_agent_the_names_of_its_pipeline(unit: str, tmp_path: Path) -> None:
    stack = PipelineStack({"MetricsNamespace": "Shop/Deploys", "LogPrefix": "/auto-lambda/second"})
    file = tmp_path / "agent.json"
    file.write_text(AGENT.read_text())
    script = stack.user_data(f"{unit.title()}Template")
    (command,) = re.findall(r"^sed -i .*\n.*amazon-cloudwatch-agent\.json$", script, re.MULTILINE)
    told = command.replace("/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json", str(file))
    subprocess.run(["/bin/sh", "-c", told], check=True)
    agent = json.loads(file.read_text())
    assert agent["metrics"]["namespace"] == "Shop/Deploys/Machines"
    groups = {one["log_group_name"] for one in agent["logs"]["logs_collected"]["files"]["collect_list"]}
    assert f"/auto-lambda/second/{unit}" in groups
    assert script.index(command) < script.index("try-restart amazon-cloudwatch-agent.service || true")


@pytest.mark.parametrize(
    ("translator", "problems"),
    [
        ('cp "$in" "$out"', 0),
        ('sed "s|/var/log/autolambda-worker/log.jsonl|/var/log/messages|" "$in" > "$out"', 1),
        ('sed \'s|/auto-lambda/checker|/elsewhere|\' "$in" > "$out"', 1),
        (': > "$out"', 4),
        ("exit 1", 5),
    ],
    ids=["takes all", "other files", "another group", "skips all", "refuses"],
)
def test_an_image_whose_agent_does_not_take_our_configuration_is_not_valid(
    translator: str, problems: int, tmp_path: Path
) -> None:
    agent = tmp_path / "agent"
    (agent / "bin").mkdir(parents=True)
    (agent / "etc").mkdir()
    (agent / "etc" / AGENT.name).write_text(AGENT.read_text())
    (agent / "bin/CWAGENT_VERSION").write_text("1.300069.0")
    program = agent / "bin/config-translator"
    read = "while [ $# -gt 0 ]; do case $1 in --input) in=$2 ;; --output) out=$2 ;; esac; shift; done"
    program.write_text(f"#!/bin/sh\n{read}\n{translator}\n")
    program.chmod(0o755)
    validation = (AMI / "provision/90-validate.sh").read_text().replace("/opt/aws/amazon-cloudwatch-agent", str(agent))
    (function,) = re.findall(r"^agent_collects_our_logs\(\) \{\n.*?^\}\n", validation, re.MULTILINE | re.DOTALL)
    assert re.search(r"^agent_collects_our_logs$", validation, re.MULTILINE), "nothing calls it"
    around = "on_amazon_linux() { :; }\nsay() { :; }\nproblem() { echo PROBLEM; }\n"
    script = f"{around}{function}\nagent_collects_our_logs"
    ran = subprocess.run(["/bin/bash", "-euc", script], capture_output=True, text=True, check=True)
    assert ran.stdout.count("PROBLEM") == problems


def test_every_variable_of_the_template_has_a_default_so_that_it_validates_alone() -> None:
    text = (AMI / "image.pkr.hcl").read_text()
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 10
    assert [name for name, block in blocks if "default" not in block] == []


def test_the_volume_is_encrypted_gp3_with_what_old_packers_want_spelt_out() -> None:
    volume = re.search(r"launch_block_device_mappings \{(.*?)\}", (AMI / "image.pkr.hcl").read_text(), re.DOTALL)
    assert volume is not None
    words = dict(re.findall(r"(\w+)\s*= (\S+)", volume[1]))
    assert (words["encrypted"], words["volume_type"], words["iops"], words["throughput"]) == (
        "true", '"gp3"', "3000", "125",
    )  # fmt: skip


def test_the_interpreters_are_those_that_lambda_offers_from_3_11_on() -> None:
    installed = set(re.findall(r"python(3\.\d+) ", (AMI / "packages.tsv").read_text()))
    assert installed == {minor for minor in RUNTIMES if int(minor.split(".")[1]) >= 11}


def test_whatever_our_wheel_requires_is_locked_for_the_image_as_for_development() -> None:
    root = AMI.parent
    metadata = configparser.ConfigParser()
    metadata.read(root / "setup.cfg")
    lines = metadata["options"]["install_requires"].strip().split("\n")
    wanted = {canonicalize_name(Requirement(line).name) for line in lines}
    pin = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
    installed = dict(pin.findall((root / "auto_lambda/locks/installation.txt").read_text()))
    developed = dict(pin.findall((root / "requirements.txt").read_text()))
    assert wanted <= installed.keys()
    assert installed.items() <= developed.items()
