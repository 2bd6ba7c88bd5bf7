"""The template, and Packer's real amazon-ebs builder through our driver, against an emulated EC2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import nspawn
import pytest
from image_machine import REPOSITORY, Boot, Cloud, Instance, need, need_machine, start, toy_payload

from ami.packer import PackerCall, find

AMI = REPOSITORY / "ami"


def fake_packer(folder: Path, script: str) -> str:
    program = folder / "packer"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


# --- the template, without AWS ---


def test_the_template_is_valid_for_both_architectures_and_well_formatted() -> None:
    need("packer")
    run = start("validate", environ=dict(os.environ))
    assert run.end() == (0, ""), run.text


def test_a_value_that_cannot_be_is_refused_with_the_templates_own_words() -> None:
    need("packer")
    run = start("validate", "--var", "architecture=sparc", environ=dict(os.environ))
    assert run.end()[0] == 1
    assert "must be x86_64 or arm64" in run.text


@pytest.mark.parametrize("communicator", ["ssh", "none"])
def test_arguments_that_the_builder_does_not_know_are_found(tmp_path: Path, communicator: str) -> None:
    need("packer")
    text = (AMI / "image.pkr.hcl").read_text()
    sound, broken = tmp_path / "sound.pkr.hcl", tmp_path / "broken.pkr.hcl"
    text = text.replace('communicator         = "ssh"', f'communicator = "{communicator}"')
    sound.write_text(text)
    broken.write_text(text.replace("encrypted ", "encripted "))
    packer = find()
    call = PackerCall("validate", sound, {"var": {"payload": str(sound)}})
    assert packer.run(call, print, seconds=60)[0] == 0
    code, output = packer.run(PackerCall("validate", broken, call.options), print, seconds=60)
    assert code == 1
    assert "encripted" in "\n".join((*output.text, *output.errors))


def test_every_shell_script_passes_shellcheck() -> None:
    need("shellcheck")
    scripts = [*AMI.glob("provision/*.sh"), *REPOSITORY.glob("scripts/*.sh"), REPOSITORY / ".ci" / "run"]
    done = subprocess.run(
        ["shellcheck", "--external-sources", *scripts], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert not done.stdout


def test_packers_view_of_the_template_can_be_looked_at() -> None:
    need("packer")
    run = start("inspect", "--template", environ=dict(os.environ))
    code, stdout = run.end()
    assert code == 0
    assert "base_image" in stdout + run.text


# --- what is missing is told before anything is launched ---


def test_no_packer(cloud: Cloud) -> None:
    run = start("build", "--packer", "/nowhere/packer", environ=cloud.environ)
    assert run.end()[0] == 2
    assert "there is no Packer here" in run.text
    assert "apt-get install packer" in run.text


def test_a_packer_that_is_too_old(cloud: Cloud, tmp_path: Path) -> None:
    run = start("build", "--packer", fake_packer(tmp_path, "echo Packer v1.5.6"), environ=cloud.environ)
    assert run.end()[0] == 2
    assert "is Packer 1.5.6" in run.text
    assert "1.6.6 or newer" in run.text


def test_another_program_of_that_name(cloud: Cloud, tmp_path: Path) -> None:
    run = start("build", "--packer", fake_packer(tmp_path, "cat; echo 0 0"), environ=cloud.environ)
    assert run.end()[0] == 2
    assert "is not HashiCorp's Packer" in run.text


def test_no_credentials(cloud: Cloud, tmp_path: Path) -> None:
    need("packer")
    without = {name: value for name, value in cloud.environ.items() if not name.startswith("AWS_ACCESS")}
    run = start("build", environ={**without, "HOME": str(tmp_path)})
    assert run.end()[0] == 2
    assert "no AWS credentials" in run.text


@pytest.mark.parametrize("command", ["build", "inspect"])
def test_a_profile_that_does_not_exist(cloud: Cloud, tmp_path: Path, command: str) -> None:
    need("packer")
    run = start(command, environ={**cloud.environ, "HOME": str(tmp_path), "AWS_PROFILE": "nobody"})
    assert run.end()[0] == 2
    assert "nobody" in run.text


def test_no_region(cloud: Cloud, tmp_path: Path) -> None:
    need("packer")
    without = {name: value for name, value in cloud.environ.items() if name not in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    run = start("build", environ={**without, "HOME": str(tmp_path)})
    assert run.end()[0] == 2
    assert "no AWS region is set" in run.text


@pytest.mark.parametrize("option", [("--kernel", "9.99"), ("--base-image", "ami-0123456789abcdef0")])
def test_no_such_base_image(cloud: Cloud, option: tuple[str, str]) -> None:
    need("packer")
    run = start("build", *option, environ=cloud.environ)
    assert run.end()[0] == 2
    assert "no such base image" in run.text
    assert option[1] in run.text


def test_a_full_disk_while_packing(cloud: Cloud, tmp_path: Path) -> None:
    need_machine()
    need("packer")
    run = start(
        "build",
        environ={**cloud.environ, "TMPDIR": str(tmp_path)},
        around=("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=64k tiny {tmp_path} && exec "$@"', "sh"),
    )
    assert run.end()[0] == 2
    assert "disk of this machine is full" in run.text


def test_nothing_is_published_yet(cloud: Cloud) -> None:
    run = start("inspect", environ=cloud.environ)
    assert run.end()[0] == 2
    assert "no image is published: /auto-lambda/image/x86_64" in run.text


# --- builds ---


@pytest.fixture
def instance(boot: Boot) -> Instance:
    return boot(())


def assert_nothing_is_left(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    states = [
        machine["State"]["Name"]
        for reservation in ec2.describe_instances()["Reservations"]
        for machine in reservation["Instances"]
    ]
    assert set(states) == {"terminated"}
    assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]
    assert ec2.describe_key_pairs()["KeyPairs"] == []


def own_images(cloud: Cloud) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    return images


def test_an_image_is_made_tagged_and_published(cloud: Cloud, instance: Instance, tmp_path: Path) -> None:
    payload = toy_payload(tmp_path, "echo from the machine: $(id -un)")
    run = start("build", "--json", *instance.variables(payload=str(payload)), environ=cloud.environ)
    code, stdout = run.end()
    assert code == 0, run.text
    assert "from the machine: root" in run.text

    made = json.loads(stdout)
    (image,) = own_images(cloud)
    assert image["ImageId"] == made["image"]
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert tags["auto-lambda:version"] == made["origin"]["version"]
    assert tags["auto-lambda:commit"] == made["origin"]["commit"]
    assert tags["auto-lambda:base-image"] == made["origin"]["base_image"]
    assert "kernel-6.18" in tags["auto-lambda:base-name"]

    parameter = cloud.client("ssm").get_parameter(Name="/auto-lambda/image/x86_64")["Parameter"]
    assert (parameter["Value"], parameter["DataType"]) == (made["image"], "aws:ec2:image")
    assert_nothing_is_left(cloud)

    shown = start("inspect", "--json", environ=cloud.environ)
    assert json.loads(shown.end()[1])["commit"] == made["origin"]["commit"]


def test_a_failing_step_cleans_up_and_publishes_nothing(cloud: Cloud, instance: Instance, tmp_path: Path) -> None:
    payload = toy_payload(tmp_path, "echo 'auto-lambda image: FAILED [30-application] the step failed'; exit 7")
    run = start("build", *instance.variables(payload=str(payload)), environ=cloud.environ)
    assert run.end() == (1, "")
    assert run.lines[-1] == "the build failed: the step failed\n"
    assert_nothing_is_left(cloud)
    assert own_images(cloud) == []
    assert start("inspect", environ=cloud.environ).end()[0] == 2


def test_a_full_disk_on_the_machine_is_told_with_the_option_to_change(
    cloud: Cloud, instance: Instance, tmp_path: Path
) -> None:
    script = "mkdir -p /tiny && mount -t tmpfs -o size=4k tiny /tiny && head -c 1M /dev/zero > /tiny/file"
    payload = toy_payload(tmp_path, script)
    run = start("build", *instance.variables(payload=str(payload)), environ=cloud.environ)
    assert run.end() == (1, "")
    assert "disk of the build instance is full" in run.lines[-1]
    assert "--volume-gb" in run.lines[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_cleans_up(
    cloud: Cloud, instance: Instance, tmp_path: Path, number: signal.Signals
) -> None:
    payload = toy_payload(tmp_path, "echo busy with it; sleep 300")
    run = start("build", *instance.variables(payload=str(payload)), environ=cloud.environ)
    run.await_line("busy with it")
    run.interrupt(number)
    assert run.end() == (130, "")
    assert "interrupted: Packer has removed what it had launched" in run.lines[-1]
    assert_nothing_is_left(cloud)
    assert own_images(cloud) == []


def test_a_build_that_takes_too_long_is_stopped_and_cleaned_up(
    cloud: Cloud, instance: Instance, tmp_path: Path
) -> None:
    payload = toy_payload(tmp_path, "sleep 300")
    run = start("build", "--timeout", "0.15", *instance.variables(payload=str(payload)), environ=cloud.environ)
    assert run.end() == (3, "")
    assert "not ready after" in run.lines[-1]
    assert_nothing_is_left(cloud)


def test_a_package_that_the_distribution_does_not_know_is_named(instance: Instance) -> None:
    machine: nspawn.Machine = instance.machine
    folder = machine.path("/var/tmp/steps")
    (folder / "provision").mkdir(parents=True)
    (folder / "provision" / "lib.sh").write_bytes((AMI / "provision" / "lib.sh").read_bytes())
    (folder / "packages.tsv").write_text("compilers\tgcc\tsudo gcc-from-nowhere\n")
    done = machine.run("bash", "-c", ". /var/tmp/steps/provision/lib.sh; pkg_install compilers", check=False)
    assert done.returncode == 1
    assert "FAILED [unknown-package] apt knows no package gcc-from-nowhere" in done.stderr
