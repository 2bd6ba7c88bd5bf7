"""Import zappa without the libraries by which it makes calls, which take twice as long to import as all the rest."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "inside"))
from imported_later import imported_later

del sys.path[0]

LATER = {
    "argcomplete": (),
    "boto3": ("Session",),
    "botocore.client": (),
    "botocore.session": (),
    "requests": (),
    "setuptools": ("find_packages",),
}
"""The libraries, with what zappa takes from each when it is imported."""


def import_zappa(*, hooks: bool) -> Any:
    """Import zappa's command line.

    Args:
        hooks: whether code of the app's own will run in this process, and may ask for anything in any way.
    """
    there = {} if hooks else {name: taken for name, taken in LATER.items() if importlib.util.find_spec(name)}
    with imported_later(there):
        from zappa import cli
    return cli
