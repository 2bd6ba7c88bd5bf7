"""The order of things around Packer's run; a script stands for Packer, moto for AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ami import base, payload
from ami.build import Maker, Order
from ami.packer import Packer
from ami.payload import Origin
from ami.problems import BuildFailed, NotStarted

REGION = "eu-west-1"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.Session("key", "secret", "token", region_name=REGION)


@pytest.fixture
def image(session: boto3.Session) -> str:
    ec2 = session.client("ec2")
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return str(ec2.create_image(InstanceId=instance, Name="made")["ImageId"])


def gathered(clone: Path, origin: Origin, folder: Path) -> Path:
    return folder / "payload.tar.gz"


def maker(session: boto3.Session, folder: Path, script: str, **more: Any) -> Maker:
    program = folder / "packer"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    settings = {"clone": payload.root(), "gather": gathered, "now": lambda: datetime(2026, 1, 2, tzinfo=UTC), **more}
    return Maker(session, Packer(program, (1, 6, 6)), lambda _: None, **settings)


def test_packer_gets_everything_and_the_image_is_published(session: boto3.Session, image: str, tmp_path: Path) -> None:
    script = f"""
    printf '%s\\n' "$@" > {tmp_path}/arguments; env > {tmp_path}/environ
    for word in "$@"; do
        case "$word" in ssh_private_key_file=*) stat -c %a "${{word#*=}}" > {tmp_path}/mode;; esac
    done
    echo "1,b,artifact,0,id,{REGION}:{image}"
    """
    made = maker(session, tmp_path, script).make(Order(architecture="arm64", subnet="subnet-1"))
    arguments = (tmp_path / "arguments").read_text().splitlines()
    base_image = session.client("ssm").get_parameter(Name=base.parameter("arm64"))["Parameter"]["Value"]
    assert {"architecture=arm64", "instance_type=m7g.large", "subnet_id=subnet-1", f"base_image={base_image}",
            f"region={REGION}", f"commit={made.origin.commit}"} <= set(arguments)  # fmt: skip
    assert made.name == f"auto-lambda-{made.origin.version}-arm64-20260102-000000"
    assert f"ssh_keypair_name={made.name}" in arguments
    assert (tmp_path / "mode").read_text() == "600\n"
    assert "AWS_SESSION_TOKEN=token" in (tmp_path / "environ").read_text().splitlines()
    published = session.client("ssm").get_parameter(Name="/auto-lambda/image/arm64")["Parameter"]
    assert (published["Value"], published["DataType"]) == (image, "aws:ec2:image")
    assert session.client("ec2").describe_key_pairs()["KeyPairs"] == []


def test_secrets_are_not_among_packers_arguments(session: boto3.Session, image: str, tmp_path: Path) -> None:
    script = f"echo \"$@\" > {tmp_path}/arguments; echo '1,b,artifact,0,id,{REGION}:{image}'"
    maker(session, tmp_path, script).make(Order())
    assert "secret" not in (tmp_path / "arguments").read_text()


def test_variables_of_ones_own_win(session: boto3.Session, image: str, tmp_path: Path) -> None:
    script = f"printf '%s\\n' \"$@\" > {tmp_path}/arguments; echo '1,b,artifact,0,id,{REGION}:{image}'"
    maker(session, tmp_path, script).make(Order(variables={"instance_type": "c7i.xlarge"}))
    assert "instance_type=c7i.xlarge" in (tmp_path / "arguments").read_text().splitlines()


@pytest.mark.parametrize(
    "script", ["echo 1,b,error,broken; exit 1", "exit 0", "echo 1,b,artifact,0,id,us-east-1:ami-1"]
)
def test_a_failure_leaves_neither_key_nor_parameter(session: boto3.Session, tmp_path: Path, script: str) -> None:
    with pytest.raises(BuildFailed):
        maker(session, tmp_path, script).make(Order())
    assert session.client("ec2").describe_key_pairs()["KeyPairs"] == []
    with pytest.raises(session.client("ssm").exceptions.ParameterNotFound):
        session.client("ssm").get_parameter(Name="/auto-lambda/image/x86_64")


def test_an_image_that_cannot_be_published_is_told_by_id(session: boto3.Session, image: str, tmp_path: Path) -> None:
    order = Order(parameter="/aws/not-ours")
    with pytest.raises(BuildFailed, match=f"the image {image} was built, but .*/aws/not-ours could not be written"):
        maker(session, tmp_path, f"echo 1,b,artifact,0,id,{REGION}:{image}").make(order)


@pytest.mark.parametrize("order", [Order(kernel="9.9"), Order(base_image="ami-0123456789abcdef0")])
def test_without_its_base_image_nothing_starts(session: boto3.Session, tmp_path: Path, order: Order) -> None:
    with pytest.raises(NotStarted, match="no such base image"):
        maker(session, tmp_path, f"touch {tmp_path}/started").make(order)
    assert not (tmp_path / "started").exists()


def test_an_unknown_package_is_found_before_anything_starts(session: boto3.Session, tmp_path: Path) -> None:
    (tmp_path / "ami").mkdir()
    (tmp_path / "ami" / "packages.tsv").write_text("compilers\tgccc\t-\n")
    (tmp_path / "ami" / "dnf-known.txt").write_text("gcc\n")
    with pytest.raises(NotStarted, match=r"gccc \(meant gcc\?\)"):
        maker(session, tmp_path, "exit 9", clone=tmp_path).make(Order())


def test_a_full_disk_while_packing_is_told(session: boto3.Session, tmp_path: Path) -> None:
    def full(clone: Path, origin: Origin, folder: Path) -> Path:
        raise OSError(28, "No space left on device", str(folder))

    with pytest.raises(NotStarted, match="disk of this machine is full"):
        maker(session, tmp_path, "exit 9", gather=full).make(Order())


def test_a_region_must_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(NotStarted, match="--region"):
        maker(boto3.Session("key", "secret"), tmp_path, "exit 9").make(Order())


def test_the_default_parameter_goes_by_architecture() -> None:
    assert Order(architecture="arm64").published_as() == "/auto-lambda/image/arm64"
    assert replace(Order(), parameter="/mine").published_as() == "/mine"
