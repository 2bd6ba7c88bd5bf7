"""A key pair for one build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ami.problems import before_launch


@contextmanager
def temporary_key_pair(ec2: Any, name: str, folder: Path) -> Iterator[dict[str, str]]:
    """Give the template's variables for a new Ed25519 key pair, which is deleted afterwards.

    Packer 1.6 creates RSA keys and signs with SHA-1, which the sshd of Amazon Linux 2023 refuses.
    """
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "Name", "Value": f"building {name}"}]}]
    with before_launch():
        made = ec2.create_key_pair(KeyName=name, KeyType="ed25519", TagSpecifications=tags)
    file = folder / "key"
    try:
        file.touch(mode=0o600)
        file.write_text(made["KeyMaterial"])
        yield {"ssh_keypair_name": name, "ssh_private_key_file": str(file)}
    finally:
        file.unlink(missing_ok=True)
        ec2.delete_key_pair(KeyName=name)
