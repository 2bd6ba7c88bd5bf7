"""The blocks of code in the how-to pages are at least valid in their language."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pipeline_template import REPOSITORY

_BLOCK = re.compile(r"^```(json|yaml|bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted((REPOSITORY / "docs/how-to").glob("*.md"))
BLOCKS = [(page, it[1], it[2]) for page in PAGES for it in _BLOCK.finditer(page.read_text())]


def parse_shell(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True)


PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "bash": parse_shell,
    "python": ast.parse,
}


@pytest.mark.parametrize(
    ("page", "language", "text"), BLOCKS, ids=[f"{page.stem}-{language}" for page, language, _ in BLOCKS]
)
def test_every_block_is_valid_in_its_language(page: Path, language: str, text: str) -> None:
    assert text.strip(), page
    PARSERS[language](text)
