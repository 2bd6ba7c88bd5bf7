"""``auto-lambda ami``: build the machine image of the fleet, check its template, show what is published."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from auto_lambda_cli.exits import Exit, leave, say, tell
from auto_lambda_cli.extras import needs
from auto_lambda_cli.options import pairs

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)


class Architecture(StrEnum):
    """The architectures of both Lambda and EC2."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


Arch = Annotated[Architecture, typer.Option("--architecture", "-a", help="The architecture of the instances.")]
Region = Annotated[str | None, typer.Option("--region", help="The AWS region; by default the environment's.")]
PackerPath = Annotated[Path | None, typer.Option("--packer", help="The Packer to use; by default the one on PATH.")]
Variables = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable of the template; repeatable.")
]


@app.command()
@needs("image")
def build(
    architecture: Arch = Architecture.X86_64,
    region: Region = None,
    instance_type: Annotated[str, typer.Option(help="The instance type to build on; by default an m7 large.")] = "",
    volume_gb: Annotated[int, typer.Option(help="The size of the image's volume, in GB.", min=8, max=16_000)] = 30,
    subnet: Annotated[str, typer.Option(help="The subnet to build in; by default in the default VPC.")] = "",
    kernel: Annotated[str, typer.Option(help="The kernel of the base image; by default the pinned one.")] = "",
    base_image: Annotated[str, typer.Option(help="The base image; by default AWS's newest.")] = "",
    parameter: Annotated[
        str, typer.Option(help="The SSM parameter to publish to; by default /auto-lambda/image/ARCHITECTURE.")
    ] = "",
    timeout: Annotated[float, typer.Option(help="The maximum number of minutes.", min=0.01)] = 60,
    grace: Annotated[
        float, typer.Option(help="Seconds that Packer has for its clean-up when it is stopped.", min=1)
    ] = 600,
    variables: Variables = None,
    packer: PackerPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Build the image and publish its id in an SSM parameter, which the fleet's launch template reads.

    The id goes to standard output, everything else to standard error. Ctrl-C stops it and waits until Packer has
    removed what it had launched.

    Exit codes: 0 made and published, 1 failed, 2 not started (nothing was launched), 3 not ready in
    time, 130 interrupted.
    """
    from ami import payload
    from ami.base import KERNEL
    from ami.build import Maker, Order
    from ami.packer import find
    from ami.problems import before_launch
    from auto_lambda.aws.session import make_session

    order = Order(
        architecture=architecture.value, kernel=kernel or KERNEL, base_image=base_image, instance_type=instance_type,
        volume_gb=volume_gb, subnet=subnet, parameter=parameter, minutes=timeout, grace=grace,
        variables=pairs("--var", variables),
    )  # fmt: skip
    with _told(), _sigterm_as_ctrl_c():
        with before_launch():
            session = make_session(region)
        maker = Maker(session, find(packer), tell, clone=payload.root())
        image = maker.make(order)
    tell(f"built {image.name}; {image.parameter} refers to it now, so new instances of the fleet use it")
    say(json.dumps(asdict(image)) if as_json else image.image)


@app.command()
@needs("image")
def validate(packer: PackerPath = None, variables: Variables = None) -> None:
    """Check the template, its format and the package names. Needs no AWS account.

    Exit codes: 0 valid, 1 not valid, 2 no usable Packer.
    """
    from ami import payload
    from ami.check import check
    from ami.packer import find

    with _told():
        problems = check(find(packer), payload.root(), tell, pairs("--var", variables))
    if problems:
        raise leave(Exit.FAILED, "\n".join(problems))
    tell("valid")


@app.command()
@needs("image")
def inspect(
    architecture: Arch = Architecture.X86_64,
    region: Region = None,
    parameter: Annotated[str, typer.Option(help="The SSM parameter to read.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Show Packer's view of the template instead.")] = False,
    packer: PackerPath = None,
) -> None:
    """Show which image is published: version, commit, base image, age.

    Exit codes: 0 shown, 2 there is none, or AWS cannot be reached.
    """
    from ami import payload
    from ami.packer import PackerCall, find
    from ami.problems import before_launch
    from ami.published import published
    from auto_lambda.aws.session import client, make_session

    with _told():
        if template:
            chosen = find(packer)
            returncode, _ = chosen.run(PackerCall("inspect", chosen.template(payload.root() / "ami")), say, seconds=60)
            raise typer.Exit(returncode)
        with before_launch():
            session = make_session(region)
            ssm, ec2 = client(session, "ssm"), client(session, "ec2")
        found = published(ssm, ec2, architecture.value, parameter)
    if as_json:
        say(json.dumps(found))
        return
    for name, value in found.items():
        say(f"{name:<14}{value}")


@contextmanager
def _told() -> Iterator[None]:
    """End with an error message and the exit code of each failure."""
    from botocore.exceptions import BotoCoreError, ClientError

    from ami.problems import BuildFailed, BuildInterrupted, BuildTimedOut, ImageError, NotStarted

    codes = {
        NotStarted: Exit.USAGE,
        BuildFailed: Exit.FAILED,
        BuildTimedOut: Exit.TIMED_OUT,
        BuildInterrupted: Exit.INTERRUPTED,
    }
    try:
        yield
    except ImageError as error:
        raise leave(codes[type(error)], str(error)) from None
    except (BotoCoreError, ClientError) as error:
        raise leave(Exit.FAILED, f"AWS says: {error}") from None
    except KeyboardInterrupt:
        raise leave(Exit.INTERRUPTED, "interrupted: nothing was launched") from None


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
