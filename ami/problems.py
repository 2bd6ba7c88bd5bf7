"""How making an image can end badly. Each says what happened and what to do, in a sentence or two."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError


class ImageError(Exception):
    """The image was not made, or not published."""


class NotStarted(ImageError):
    """Something that must be there was missing, and nothing was launched."""


class BuildFailed(ImageError):
    """Packer ran and failed; it has removed what it had launched."""


class BuildTimedOut(ImageError):
    """It was not ready in time; Packer was told to stop and to remove what it had launched."""


class BuildInterrupted(ImageError):
    """Somebody stopped it; Packer was told to remove what it had launched."""


@contextmanager
def before_launch() -> Iterator[None]:
    """What goes wrong before anything is launched, in words that say what to do."""
    try:
        yield
    except NoCredentialsError:
        raise NotStarted("no AWS credentials: log in (for example with `aws sso login`), or set AWS_PROFILE") from None
    except (BotoCoreError, ClientError) as error:
        raise NotStarted(f"AWS says: {error}") from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise NotStarted(
            f"the disk of this machine is full while packing ({error.filename or tempfile.gettempdir()}): "
            "make room, or name another folder in TMPDIR"
        ) from error
