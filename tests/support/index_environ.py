"""Where this machine finds packages, for machines and workers that tests start."""

from __future__ import annotations

import os

from auto_lambda.index_settings import build_settings, names_index


def index_environ() -> dict[str, str]:
    """Return all variables of this process that say where packages are, and how to get there."""
    named = {name: value for name, value in os.environ.items() if names_index(name)}
    return {**build_settings(os.environ), **named}
