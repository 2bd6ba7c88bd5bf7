"""What people are told of the ledger is what workers write, and reading it needs nothing that only workers have."""

from __future__ import annotations

import subprocess
import sys

from seen_pipeline import NOON, SHOP, SeenPipeline

from auto_lambda_cli.queries.history import AppHistory, RecordedRelease
from worker.records.ledger import Ledger, PastRelease, put_past_release


def test_it_reads_what_workers_write(pipeline: SeenPipeline) -> None:
    pipeline.go_live("v1")
    pipeline.go_live("v2", before="v1")
    collected = PastRelease(None, None, NOON.isoformat(), collected=NOON.isoformat())
    unreadable = PastRelease("[", None, None)
    pipeline.table.write(put_past_release(SHOP, "v0", collected), put_past_release(SHOP, "old", unreadable))
    history, ledger = AppHistory(pipeline.table), Ledger(pipeline.table)
    live, recorded = history.live(SHOP), ledger.record(SHOP).live
    assert live
    assert recorded
    assert (live.release, live.framework, live.python) == (recorded.object_version, recorded.framework, "3.12")
    assert live.since
    assert live.since.isoformat() == recorded.when
    found = history.releases(SHOP)
    assert {name: one.stored for name, one in found.items()} == {"v0": False, "old": False, "v1": True, "v2": True}
    assert found["v0"] == RecordedRelease(NOON, stored=False)
    assert (found["v1"].python, found["v1"].size) == ("3.12", 3)
    assert history.attempts(SHOP, 9) == ledger.history(SHOP, 9)


WITHOUT = """
import sys

class Base:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pydantic", "pydantic_settings", "yaml", "uv", "watchfiles", "worker", "builder"}:
            raise ImportError(name)

sys.meta_path.insert(0, Base())
import auto_lambda_cli.app
from auto_lambda_cli.commands import history
from auto_lambda_cli.commands.apps import configuration, invoke, promote, releases, run, runtime, state
from auto_lambda_cli.queries import apps, configuration, functions, history, releases, runtime_log, samples, state
"""


def test_the_base_installation_is_enough() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
