"""The real provisioning, over Packer's own SSH, on a bare Debian that is booted with systemd."""

from __future__ import annotations

import json
import shutil

import pytest
from image_machine import REPOSITORY, Boot, Cloud, Instance, start

from auto_lambda import __version__

STEPS = "/var/tmp/again/provision"


def carry_steps(instance: Instance) -> None:
    """Put the provisioning scripts back: the build removed them when it was done."""
    folder = instance.machine.path("/var/tmp/again")
    shutil.copytree(REPOSITORY / "ami" / "provision", folder / "provision")
    shutil.copytree(REPOSITORY / "systemd", folder / "units")
    shutil.copy(REPOSITORY / "ami" / "packages.tsv", folder)
    shutil.copy(instance.machine.path("/etc/auto-lambda/image.json"), folder / "payload.json")


def test_a_bare_machine_becomes_a_valid_image(boot: Boot, cloud: Cloud) -> None:
    instance = boot(())
    run = start("build", "--json", *instance.variables(), environ=cloud.environ)
    code, stdout = run.end()
    assert code == 0, run.text
    made = json.loads(stdout)
    assert cloud.client("ssm").get_parameter(Name=made["parameter"])["Parameter"]["Value"] == made["image"]
    holds_what_it_should(instance, made)
    leftovers_are_found(instance)


def holds_what_it_should(instance: Instance, made: dict[str, object]) -> None:
    machine = instance.machine
    manifest = json.loads(machine.path("/etc/auto-lambda/image.json").read_text())
    origin = made["origin"]
    assert isinstance(origin, dict)
    assert {name: manifest[name] for name in origin} == origin
    assert manifest["pythons"].keys() == {"3.11"}
    assert manifest["locks"]["compiler"].keys() >= {"chalice", "zappa", "awslambdaric", "boto3"}
    assert machine.run("auto-lambda", "--version").stdout == f"auto-lambda {__version__}\n"
    assert not machine.path("/var/tmp/auto-lambda-image").exists()
    assert machine.path("/etc/machine-id").read_bytes() == b""
    for unit in REPOSITORY.glob("systemd/*.service"):
        assert machine.run("systemctl", "is-enabled", unit.name).stdout == "enabled\n"


def leftovers_are_found(instance: Instance) -> None:
    """The validation fails once more when something of the builder's is put back."""
    machine = instance.machine
    carry_steps(instance)
    left = ("/root/.ssh/authorized_keys", "/etc/ssh/ssh_host_rsa_key", "/root/.bash_history", "/var/log/secrets.log",
            "/home/ec2-user/.aws/credentials", "/etc/machine-id")  # fmt: skip
    for name in left:
        machine.path(name).parent.mkdir(parents=True, exist_ok=True)
        machine.path(name).write_text("left behind\n")
    done = machine.run(
        "env", "AUTO_LAMBDA_IMAGE_FREE_MB=99999999", f"{STEPS}/90-validate.sh",
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    for name in (*left[:4], "/home/ec2-user/.aws", "/etc/machine-id is not empty", "use a larger --volume-gb"):
        assert name in done.stderr, name


@pytest.mark.slow
def test_every_step_can_run_twice(boot: Boot, cloud: Cloud) -> None:
    instance = boot(())
    for _ in range(2):
        start_again = start("build", *instance.variables(), environ=cloud.environ)
        assert start_again.end()[0] == 0, start_again.text
        restore_access(instance)


def restore_access(instance: Instance) -> None:
    """What the clean-up took away and a new instance would be given."""
    home = instance.machine.path("/home/ec2-user/.ssh")
    shutil.copy(instance.key.with_suffix(".pub"), home / "authorized_keys")
    instance.machine.run("chown", "-R", "ec2-user:", "/home/ec2-user/.ssh")
    instance.machine.run("ssh-keygen", "-A")
    instance.machine.run("systemctl", "restart", "ssh")
