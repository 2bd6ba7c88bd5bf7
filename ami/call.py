"""One call of Packer through packer-py, in a process of its own.

packer-py waits for Packer to exit and supports neither time-outs nor streaming. Here Packer writes straight to this
process's standard output, and both are in one process group that the driver can signal: ``python -m ami.call``, with
the call as JSON on standard input.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from packerpy import PackerExecutable


def main() -> int:
    """Make the call, and return Packer's exit code."""
    # Packer gets the group's signals, too, and exits once it has cleaned up. A handler, not SIG_IGN, which Packer
    # would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    call: dict[str, Any] = json.load(sys.stdin)
    packer = PackerExecutable(call["executable"], machine_readable=True, config={"stdout": None, "stderr": None})
    returncode, _, _ = packer.execute_cmd(call["command"], call["template"], **call["options"])
    return int(returncode)


if __name__ == "__main__":
    sys.exit(main())
