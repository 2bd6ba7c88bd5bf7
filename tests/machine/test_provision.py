"""The real provisioning, over Packer's own SSH, on a bare Debian that is booted with systemd."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_machine import REPOSITORY, Boot, Cloud, Image, Instance, start
from nspawn import Machine

from auto_lambda import __version__

STEPS = "/var/tmp/again/provision"


def carry_steps(machine: Machine) -> None:
    """Put the provisioning scripts back: the build removed them when it was done."""
    folder = machine.path("/var/tmp/again")
    shutil.copytree(REPOSITORY / "ami" / "provision", folder / "provision")
    shutil.copytree(REPOSITORY / "systemd", folder / "units", ignore=shutil.ignore_patterns("*.md"))
    shutil.copy(REPOSITORY / "ami" / "packages.tsv", folder)
    shutil.copy(machine.path("/etc/auto-lambda/image.json"), folder / "payload.json")


@pytest.fixture
def launched(image: Image, tmp_path: Path) -> Iterator[Machine]:
    with image.launched(tmp_path / "launched") as machine:
        yield machine


def test_a_bare_machine_becomes_a_valid_image(image: Image, launched: Machine) -> None:
    made = image.made
    assert image.published == made["image"]
    assert (image.upper / "etc" / "machine-id").read_bytes() == b""
    assert not (image.upper / "var" / "tmp" / "auto-lambda-image").exists()
    manifest = json.loads(launched.path("/etc/auto-lambda/image.json").read_text())
    origin = made["origin"]
    assert isinstance(origin, dict)
    assert {name: manifest[name] for name in origin} == origin
    assert manifest["pythons"].keys() == {"3.11"}
    assert manifest["locks"]["compiler"].keys() >= {"chalice", "zappa", "awslambdaric", "boto3"}
    bill = json.loads(launched.path("/etc/auto-lambda/sbom.cdx.json").read_text())
    purls = {component["purl"].partition("@")[0] for component in bill["components"]}
    assert purls >= {"pkg:pypi/uv", "pkg:pypi/chalice", "pkg:deb/debian/bash", "pkg:deb/debian/systemd"}
    assert launched.run("auto-lambda", "--version").stdout == f"auto-lambda {__version__}\n"
    for name in ("autolambda-worker.service", "autolambda-checker.service", "autolambda-builder.socket"):
        assert launched.run("systemctl", "is-enabled", name).stdout == "enabled\n"


def test_what_is_wrong_with_an_image_is_found(launched: Machine) -> None:
    """The validation fails once more when something of the builder's is put back, and a unit is broken."""
    carry_steps(launched)
    left = ("/root/.ssh/authorized_keys", "/etc/ssh/ssh_host_rsa_key", "/root/.bash_history", "/var/log/secrets.log",
            "/home/ec2-user/.aws/credentials", "/etc/machine-id")  # fmt: skip
    for name in left:
        launched.path(name).parent.mkdir(parents=True, exist_ok=True)
        launched.path(name).write_text("left behind\n")
    launched.run("systemctl", "disable", "autolambda-checker.service", "autolambda-builder.socket")
    drop_in = launched.path("/etc/systemd/system/autolambda-unhealthy@.service.d/typo.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nMemorMax=1G\n")
    done = launched.run(
        "env", "AUTO_LAMBDA_IMAGE_FREE_MB=99999999", f"{STEPS}/90-validate.sh",
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    units = (
        "autolambda-checker.service is not enabled",
        "autolambda-builder.socket is not enabled",
        "Unknown key 'MemorMax'",
    )
    for name in (*left[:4], "/home/ec2-user/.aws", "/etc/machine-id is not empty", "use a larger --volume-gb", *units):
        assert name in done.stderr, name


def test_an_upgrade_leaves_the_modes_of_settings_alone(launched: Machine) -> None:
    carry_steps(launched)
    shutil.copytree(REPOSITORY / "ami" / "rootfs", launched.path("/var/tmp/again/rootfs"))
    settings = launched.path("/etc/auto-lambda/worker.env")
    settings.touch(mode=0o600)
    settings.write_text("AWS_SECRET_ACCESS_KEY=secret\n")
    readme = launched.path("/etc/auto-lambda/README")
    readme.unlink()
    launched.run("sh", "-c", f"umask 077 && chmod -R go= {STEPS}/../rootfs && {STEPS}/20-rootfs.sh")
    assert settings.stat().st_mode & 0o777 == 0o600
    assert readme.stat().st_mode & 0o777 == 0o644


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
