"""The disk of a virtual machine: the machine image, with a kernel and what reaches it from outside."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nspawn
from image_machine import Image

_KERNEL = ("linux-image-cloud-amd64", "initramfs-tools")
_BYTES = 8 * 1024**3  # few of which are ever written
_NETWORK = """[Match]
Name=e*
[Network]
Address=10.0.2.15/24
Address=169.254.169.254/32
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


def make_disk(image: Image, folder: Path) -> Disk:
    """Make one in ``folder``."""
    kernel = nspawn.debian_root(_KERNEL)
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    disk = Disk(folder / "disk.raw", (kernel / "vmlinuz").resolve(), (kernel / "initrd.img").resolve(), key)
    # That root is the bare machine's with more in it: a kernel alone loads no drivers, udev and kmod do.
    with _merged((image.upper, kernel), folder / "upper") as tree:
        _let_in(tree, key.with_suffix(".pub").read_text())
        _pack(tree, disk.image)
    return disk


def _let_in(tree: Path, public_key: str) -> None:
    """What cloud-init and DHCP do on AWS."""
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    (tree / "root/.ssh/authorized_keys").write_text(public_key)
    (tree / "etc/ssh/sshd_config.d/test.conf").unlink()  # of the instance that was built on
    (tree / "etc/systemd/network/10-virtual.network").write_text(_NETWORK)
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")
    (tree / "etc/hostname").write_text("machine\n")
    subprocess.run(["ssh-keygen", "-q", "-A", "-f", str(tree)], check=True)
    for verb, *units in (("enable", "ssh.service", "systemd-networkd.service"),
                         ("mask", "systemd-networkd-wait-online.service", "e2scrub_reap.service")):  # fmt: skip
        subprocess.run(["systemctl", "--quiet", f"--root={tree}", verb, *units], check=True)


@contextlib.contextmanager
def _merged(lower: tuple[Path, ...], upper: Path) -> Iterator[Path]:
    """All layers as one tree; what is written to it goes to ``upper``."""
    upper.mkdir()
    with tempfile.TemporaryDirectory(dir=upper.parent) as scratch:
        tree, work = Path(scratch, "tree"), Path(scratch, "work")
        tree.mkdir()
        work.mkdir()
        options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(tree)], check=True)
        try:
            yield tree
        finally:
            subprocess.run(["umount", str(tree)], check=True)


def _pack(tree: Path, image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(_BYTES)
    features = "^has_journal,^metadata_csum"  # it lives for one run
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", features, "-d", str(tree), str(image)], check=True)
