"""A hook of mkdocs: links that leave docs/ work on the site as they do on the code host.

The project's own pages (changelog and so on) become pages of the site. A link to any other file of the repository leads
to the code host if ``extra.source_url`` is set, and is plain text otherwise.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:)([^)\s#]+)(#[^)\s]*)?\)")
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_SPAN = re.compile(r"`[^`\n]+`")
_CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are beside docs/."""
    for name in PROJECT_PAGES:
        files.append(File.generated(config, name, content=(_root(config) / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs passes it by name
    """Rewrite the links of a page, except in blocks of code."""
    parts = _CODE.split(markdown)
    parts[::2] = [_LINK.sub(lambda link: _rewritten(link, page, config), _unescaped(part)) for part in parts[::2]]
    return "".join(parts)


def _unescaped(text: str) -> str:
    # GitHub wants each | in a table's code escaped; Python-Markdown would show the backslash.
    return _ROW.sub(lambda row: _SPAN.sub(lambda code: code.group().replace(r"\|", "|"), row.group()), text)


def _rewritten(link: re.Match[str], page: Page, config: MkDocsConfig) -> str:
    text, path, anchor = link.group(1), link.group(2), link.group(3) or ""
    root, docs = _root(config), Path(config.docs_dir)
    folder = root if page.file.src_uri in PROJECT_PAGES else docs / Path(page.file.src_uri).parent
    target = Path(os.path.normpath(folder / path))
    if target.is_relative_to(docs):
        return f"[{text}]({_from(page, target.relative_to(docs))}{anchor})"
    if not target.is_relative_to(root) or not target.exists():
        return link.group()  # mkdocs warns of it
    file = target.relative_to(root).as_posix()
    if file in PROJECT_PAGES:
        return f"[{text}]({_from(page, Path(file))}{anchor})"
    source = config.extra["source_url"]
    return f"[{text}]({source.rstrip('/')}/blob/HEAD/{file}{anchor})" if source else text


def _from(page: Page, target: Path) -> str:
    return Path(os.path.relpath(target, Path(page.file.src_uri).parent)).as_posix()


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
