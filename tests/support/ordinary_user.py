"""Run by a user who may nothing: ``ordinary_user.py FOLDER``. Tries every attack, prints what came of each as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from attacks import DEAF, HURRIED, LIMITS, TOO_MUCH, left_processes

from builder.sandbox.bubblewrap import BubblewrapSandbox
from builder.sandbox.sandbox import Command, Limits, PlainSandbox

PYTHON = "/usr/bin/python3"
WELL = "open('made', 'w').write('x'); open('/tmp/made', 'w').write('x'); print('well')"


def main(folder: Path) -> None:
    """Isolate, and attack."""
    sandbox = BubblewrapSandbox(PlainSandbox(), ())
    sandbox.check()
    told: dict[str, object] = {}

    def attack(name: str, code: str, limits: Limits) -> None:
        work = folder / f"of-an-ordinary-user-{name}"
        work.mkdir()
        outcome = sandbox.run(Command((PYTHON, "-c", code), work, writable=(work,), limits=limits), lambda _: None)
        told[name] = {"stopped": outcome.stopped, "output": outcome.output[-500:], "left": left_processes(work)}

    attack("well", WELL, LIMITS)
    attack("files", "for path in ('/root', '/home', '/etc/passwd', '/var/lib'): open(path)", LIMITS)
    attack("root", "import os; os.setuid(0); print(os.getuid())", LIMITS)
    for name, code in TOO_MUCH.items():
        attack(name, code, LIMITS)
    attack("deaf", DEAF, HURRIED)
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
