from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import builder.proof

_path = Path(builder.proof.__file__).parent / "inside" / "server.py"
_spec = importlib.util.spec_from_file_location("proof_server", _path)
assert _spec
assert _spec.loader
server: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(server)


def test_a_process_that_waited_longer_than_it_was_watched_has_taken_no_time(tmp_path: Path) -> None:
    (tmp_path / "schedstat").write_text("1000 3600000000000 7\n")
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t   2048 kB\n")
    watch = server.ProcessMonitor(1)
    watch._proc = tmp_path
    assert watch.look() == 0.0
    assert watch.peak_mb == 2
