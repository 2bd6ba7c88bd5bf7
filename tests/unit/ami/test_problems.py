"""What is wrong before the launch is said in a sentence, and nothing was launched."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from ami.problems import NotStarted, before_launch

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/tree/unit")


@pytest.mark.parametrize("error", [FULL, shutil.Error([("unit", "/tmp/tree/unit", str(FULL))])])
def test_a_full_disk_is_said_whoever_copied(error: OSError) -> None:
    with pytest.raises(NotStarted, match="the disk of this machine is full"), before_launch():
        raise error


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), shutil.Error([("a", "b", "no")])])
def test_another_error_stays_what_it_is(error: OSError) -> None:
    with pytest.raises(type(error)) as raised, before_launch():
        raise error
    assert raised.value is error
