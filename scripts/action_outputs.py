"""Writes what a receipt says to the outputs and the summary of a GitHub Action's step. Needs nothing but Python."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(receipt_path: Path) -> None:
    """Read the receipt, which is empty if the drop has none, and write to the files that the runner names."""
    text = receipt_path.read_text()
    receipt: dict[str, Any] = json.loads(text) if text.strip() else {}
    error = receipt.get("error") or {}
    outputs = {
        "status": receipt.get("status"),
        "url": receipt.get("url"),
        "code": error.get("code"),
        "version": receipt.get("version"),
        "receipt": receipt_path if receipt else None,
    }
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as file:
        file.writelines(f"{name}={_line(value)}\n" for name, value in outputs.items())
    if error:
        print(f"::error title={_escaped(error['code'])}::{_escaped(error['message'])} {_escaped(error['hint'])}")
    if receipt and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        with Path(summary).open("a") as file:
            file.write(_summary(receipt, error))


def _summary(receipt: dict[str, Any], error: dict[str, str]) -> str:
    lines = [f"{receipt.get('stage')}/{receipt.get('app')}: {receipt.get('status')}"]
    if receipt.get("url"):
        lines.append(receipt["url"])
    lines += [error[name] for name in ("code", "message", "hint") if error.get(name)]
    return (
        "".join(f"    {line}\n" for text in lines for line in text.splitlines()) + "\n"
    )  # as code: no markup of theirs


def _line(value: object) -> str:
    """One line: another would be an output of its own."""
    return " ".join(str(value or "").split())


def _escaped(text: str) -> str:
    """Escape as the runner's own toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace(":", "%3A").replace(",", "%2C")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
