"""The failures of a build. Each message says what happened and what to do, in one or two sentences."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError


class ImageError(Exception):
    """The image was not built, or not published."""


class NotStarted(ImageError):
    """Something required is missing; nothing was launched."""


class BuildFailed(ImageError):
    """Packer ran and failed; it has removed what it had launched."""


class BuildTimedOut(ImageError):
    """The build took too long; Packer was stopped, to remove what it had launched."""


class BuildInterrupted(ImageError):
    """The build was interrupted; Packer was stopped, to remove what it had launched."""


@contextmanager
def before_launch() -> Iterator[None]:
    """Turn errors before the launch into messages that say what to do."""
    try:
        yield
    except NoCredentialsError:
        raise NotStarted("no AWS credentials: log in (for example with `aws sso login`), or set AWS_PROFILE") from None
    except (BotoCoreError, ClientError) as error:
        raise NotStarted(f"AWS says: {error}") from error
    except OSError as error:
        if not _is_full(error):
            raise
        raise NotStarted(
            f"the disk of this machine is full while packing ({error.filename or tempfile.gettempdir()}): "
            "free some space, or set TMPDIR to another folder"
        ) from error


def _is_full(error: OSError) -> bool:
    """Tell whether a disk was full; copying a tree fails with all its errors as text (`shutil.copytree`)."""
    if isinstance(error, shutil.Error):
        return os.strerror(errno.ENOSPC) in str(error)
    return error.errno == errno.ENOSPC
