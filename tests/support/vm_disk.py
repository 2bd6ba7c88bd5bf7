"""The disk of a virtual machine: Debian with a kernel, provisioned by the very steps that make the machine image."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nspawn

from ami import payload
from auto_lambda.tools import exclusive

REPOSITORY = Path(__file__).resolve().parents[2]
KERNEL = ("linux-image-cloud-amd64", "initramfs-tools")
# Of the steps of ami/provision: those that clean up and validate are for an image that is given away.
_SLOW_STEPS = ("10-packages", "20-rootfs", "30-application")
_OWN_STEPS = ("20-rootfs", "30-application", "40-services")
_PAYLOAD = "/var/tmp/auto-lambda-image"
_GIGABYTE = 1024**3
# What the disk and the network of the machine need; all that Debian has would take seconds more to unpack.
_MODULES = "virtio_pci\nvirtio_blk\nvirtio_net\nvirtio_rng\next4\n"
_NETWORK = """[Match]
Name=e*
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
"""


@dataclass(frozen=True, slots=True)
class Disk:
    """What a machine boots from. ``key`` lets root in by SSH."""

    image: Path
    kernel: Path
    initrd: Path
    key: Path


def make_disk(folder: Path) -> Disk:
    """Make one in ``folder`` with this clone's software as it is now; what takes long is kept in the cache folder."""
    root = _provisioned(folder / "first")
    made = folder / "second"
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with _booted(root, made) as machine:
        _carry_payload(machine, made)
        _take(machine, _OWN_STEPS)
        _let_in(machine, key.with_suffix(".pub").read_text())
    disk = Disk(folder / "disk.raw", folder / "vmlinuz", folder / "initrd.img", key)
    with _merged(root, made / "upper") as tree:
        shutil.copy((tree / "vmlinuz").resolve(), disk.kernel)
        shutil.copy((tree / "initrd.img").resolve(), disk.initrd)
        _image_of(tree, disk.image)
    shutil.rmtree(made)
    return disk


def _provisioned(folder: Path) -> Path:
    """A root with all packages, dependencies and tool environments in it; made once for each state of their lists."""
    base = nspawn.debian_root(KERNEL)
    target = base.with_name(f"{base.name}-{_lists_digest()}")
    with exclusive(target.with_suffix(".making")):
        if not target.exists():
            for old in target.parent.glob(f"{base.name}-????????????"):
                shutil.rmtree(old)
            with _booted(base, folder) as machine:
                _carry_payload(machine, folder)
                _take(machine, _SLOW_STEPS)
                machine.path("/etc/initramfs-tools/modules").write_text(_MODULES)
                machine.path("/etc/initramfs-tools/conf.d/small").write_text("MODULES=list\nCOMPRESS=gzip\n")
                machine.run("update-initramfs", "-u", "-k", "all", timeout=300)
            fresh = target.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            with _merged(base, folder / "upper") as tree:
                subprocess.run(["cp", "--archive", str(tree), str(fresh)], check=True)
            fresh.rename(target)
    return target


def _lists_digest() -> str:
    files = [*(REPOSITORY / "ami/provision").iterdir(), *(REPOSITORY / "auto_lambda/locks").iterdir(),
             REPOSITORY / "ami/packages.tsv", Path(__file__)]  # fmt: skip
    content = b"\0".join(file.read_bytes() for file in sorted(files) if file.is_file())
    return hashlib.sha256(content).hexdigest()[:12]


@contextlib.contextmanager
def _booted(root: Path, folder: Path) -> Iterator[nspawn.Machine]:
    """A machine that is shut down in order, so that all it wrote is there."""
    with nspawn.booted(root, folder) as machine:
        yield machine
        machine.run("sync")


def _carry_payload(machine: nspawn.Machine, folder: Path) -> None:
    origin = payload.origin_of(REPOSITORY, "ami-of-no-cloud", "debian", "x86_64")
    payload.make(REPOSITORY, origin, folder)
    shutil.rmtree(machine.path(_PAYLOAD), ignore_errors=True)
    shutil.move(folder / "payload", machine.path(_PAYLOAD))


def _take(machine: nspawn.Machine, steps: tuple[str, ...]) -> None:
    environ = machine.path("/etc/environment").read_text().replace('"', "").splitlines()
    for step in steps:
        machine.run("env", *environ, f"{_PAYLOAD}/provision/{step}.sh", timeout=1200)


def _let_in(machine: nspawn.Machine, public_key: str) -> None:
    """What cloud-init and DHCP do on AWS."""
    machine.path("/root/.ssh").mkdir(mode=0o700, exist_ok=True)
    machine.path("/root/.ssh/authorized_keys").write_text(public_key)
    machine.path("/etc/systemd/network/10-virtual.network").write_text(_NETWORK)
    machine.path("/etc/fstab").write_text("")
    machine.run("rm", "-rf", "/etc/resolv.conf", _PAYLOAD)
    machine.path("/etc/resolv.conf").write_text("nameserver 10.0.2.3\n")
    machine.run("ssh-keygen", "-A")
    machine.run("systemctl", "enable", "ssh", "systemd-networkd")
    machine.run("systemctl", "mask", "systemd-networkd-wait-online", "apt-daily.timer", "apt-daily-upgrade.timer")


@contextlib.contextmanager
def _merged(root: Path, upper: Path) -> Iterator[Path]:
    """Both layers as one tree."""
    with tempfile.TemporaryDirectory(dir=upper.parent) as scratch:
        tree, work = Path(scratch, "tree"), Path(scratch, "work")
        tree.mkdir()
        work.mkdir()
        options = f"lowerdir={root},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(tree)], check=True)
        try:
            yield tree
        finally:
            subprocess.run(["umount", str(tree)], check=True)


def _image_of(tree: Path, image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(8 * _GIGABYTE)
    features = "^has_journal,^metadata_csum"  # it lives for one run
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", features, "-d", str(tree), str(image)], check=True)
