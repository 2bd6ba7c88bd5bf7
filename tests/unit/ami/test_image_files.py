"""What the image's files promise each other."""

from __future__ import annotations

import configparser
import json
import re
import stat
from pathlib import Path

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


def test_the_cloudwatch_agent_collects_our_units_disk_and_memory() -> None:
    agent = json.loads(AGENT.read_text())
    journals = agent["logs"]["logs_collected"]["journald"]["collect_list"]
    assert [unit for journal in journals for unit in journal["units"]] == [
        "autolambda-worker.service",
        "autolambda-checker.service",
    ]
    assert agent["metrics"]["metrics_collected"].keys() == {"disk", "mem"}


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
