"""Approvals and dead letters need nothing that only workers have installed: nor does the console load it for them."""

from __future__ import annotations

import subprocess
import sys

from auto_lambda_cli.extras import missing

WITHOUT = """
import sys

class Base:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"deflate", "elftools", "hjson", "jsonschema_rs", "pydantic", "pydantic_settings",
                                  "sdnotify", "uv", "watchfiles", "yaml"}:
            raise ImportError(name)

sys.meta_path.insert(0, Base())
import auto_lambda_cli.commands.approve
import auto_lambda_cli.commands.reconcile
import auto_lambda_cli.commands.redrive
import auto_lambda_cli.console.application
import auto_lambda_cli.queries.operations
import worker.consumer.inbox
import worker.operations.reconcile
"""


def test_the_base_installation_is_enough() -> None:
    assert missing("worker") == []  # or it would be no wonder
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
