"""On the machine that becomes the image: make the tool environment of every interpreter, so that no worker has to."""

from __future__ import annotations

import sys
from pathlib import Path

from auto_lambda.tools import ToolEnvironments, interpreters


def main() -> int:
    """``python -m ami.bake FOLDER``."""
    tools = ToolEnvironments(Path(sys.argv[1]), baked=None)
    for minor in sorted(interpreters()):
        print(f"auto-lambda image: tools for Python {minor}: {tools.python('compiler', minor).parents[1].name}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
