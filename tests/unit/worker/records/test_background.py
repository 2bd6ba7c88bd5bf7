"""What is written from a thread of its own."""

from __future__ import annotations

import threading

from worker.records.background import BackgroundWriter


def test_latest_survives_failing_writes_and_repeated_closing() -> None:
    tried = threading.Semaphore(0)

    def write() -> None:
        tried.release()
        raise OSError("away")

    latest = BackgroundWriter(write, spacing=0)
    latest.start()
    for _ in range(3):
        latest.request()
        assert tried.acquire(timeout=10)
    latest.close()
    latest.close()
