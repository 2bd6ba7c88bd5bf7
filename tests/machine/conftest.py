"""A machine to provision, and an EC2 that knows it: moto answers the API, and the "instance" is booted by nspawn."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nspawn
import pytest
from image_machine import REGION, Boot, Cloud, Image, Instance, need, need_machine, start, start_instance
from moto.server import ThreadedMotoServer
from service_box import SECRET, Box

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import deploy_pipeline


@contextlib.contextmanager
def emulated_cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    # Its state outlives its servers.
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    dummy = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
    try:
        yield Cloud(endpoint, {**kept, **dummy, "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true"})
    finally:
        server.stop()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image, provisioned over Packer's own SSH on a bare Debian."""
    need_machine()
    need("packer", "ssh-keygen")
    folder = tmp_path_factory.mktemp("image")
    root = nspawn.debian_root()
    with emulated_cloud() as cloud:
        with nspawn.booted(root, folder / "machine") as machine:
            instance = start_instance(machine, folder)
            run = start("build", "--json", *instance.variables(), environ=cloud.environ)
            code, stdout = run.end()
        assert code == 0, run.text
        made = json.loads(stdout)
        published = cloud.client("ssm").get_parameter(Name=made["parameter"])["Parameter"]["Value"]
    yield Image(root, folder / "machine" / "upper", made, published)
    shutil.rmtree(folder / "machine", ignore_errors=True)


@pytest.fixture(scope="session")
def launched(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A machine of the fleet with all services, for `box`."""
    folder = tmp_path_factory.mktemp("services")
    with EmbeddedAws.start(folder / "aws") as aws, image.launched(folder / "machine") as machine:
        box = Box(machine, deploy_pipeline(aws, folder / "aws"))
        # Drained at once, or a test could not tell what was handed back from what was finished.
        box.first_boot({"AUTO_LAMBDA_POLL_SECONDS": "1", "AUTO_LAMBDA_DRAIN_SECONDS": "0", "TEST_SECRET": SECRET})
        yield box
    shutil.rmtree(folder / "machine", ignore_errors=True)


@pytest.fixture
def box(launched: Box) -> Box:
    """The machine of the fleet, as it was launched."""
    launched.as_launched()
    return launched


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """Boots an instance whose Debian has these packages."""
    need_machine()
    need("packer", "ssh-keygen")
    with contextlib.ExitStack() as stack:

        def boot(packages: tuple[str, ...]) -> Instance:
            machine = stack.enter_context(nspawn.booted(nspawn.debian_root(packages), tmp_path / "machine"))
            return start_instance(machine, tmp_path)

        yield boot
    # Some hundred megabytes, which pytest would keep for three runs.
    shutil.rmtree(tmp_path / "machine", ignore_errors=True)
