"""``auto-lambda ecs demo``, which is `make demo-ecs`, from its beginning to its end."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from e2e_stack import AUTO_LAMBDA


def test_everything_that_the_demo_announces_comes(tmp_path: Path) -> None:
    done = subprocess.run(
        [AUTO_LAMBDA, "ecs", "demo", "--folder", str(tmp_path / "demo")],
        env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    steps = dict(enumerate(re.split(r"^\d\. .*$", done.stdout, flags=re.MULTILINE)))
    assert len(steps) == 6, done.stdout
    assert "without grants: failed, rights-not-granted" in steps[2]
    assert "with its grants.json: live" in steps[2]
    plan, _, updates = steps[3].partition("POST /hooks/docker-hub")
    assert "acme/shop:1.1.0" in plan
    for line in ("202", "web:1 -> web:2", "jobs:1 -> jobs:2", "blog:1 untouched"):
        assert line in updates
    assert "no new revision, no update" in steps[4]
    assert "404" in steps[4]
    depth, _, tasks = steps[5].partition("tasks of web")
    assert "█" in depth
    top, *_, bottom = (line.partition("┤")[2] for line in tasks.splitlines() if "┤" in line)
    assert top.startswith(" ") and top.strip(), "it was raised"  # noqa: PT018
    assert len(top.rstrip()) < len(bottom.rstrip()), "and lowered"
    assert "all of it came" in tasks
