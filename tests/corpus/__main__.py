"""Drop every project of the corpus on one local stack, follow what its hint says once, and score: `make corpus`.

Without patterns it writes the scores into `docs/reference/compatibility.md`. It fails if a figure misses its goal.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import urllib3

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from corpus import Project, assembled, fetched, projects
from corpus_scores import LIVE, OURS, Ended, Score, figures, tables, written
from e2e_stack import ROOT, LocalUp, Stack, make_zip
from following import followed

SECONDS = 900
PAGE = ROOT / "docs" / "reference" / "compatibility.md"
HTTP = urllib3.PoolManager(timeout=60)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make corpus", description=__doc__)
    parser.add_argument("patterns", nargs="*", help="names such as 'chalice-*' (all)")
    parser.add_argument("--cache", type=Path, default=_cache(), help="where the distributions are kept (%(default)s)")
    parser.add_argument("--parallel", type=int, default=2, help="drops at a time (%(default)s)")
    options = parser.parse_args(arguments)
    chosen = [one for one in projects() if any(fnmatchcase(one.name, pattern) for pattern in options.patterns or ["*"])]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        up = LocalUp(Path(folder), AUTO_LAMBDA_SLOTS=str(options.parallel))
        try:
            stack = up.ready()
            with ThreadPoolExecutor(options.parallel) as pool:
                scores = list(pool.map(lambda one: told(scored(stack, one, options.cache)), chosen))
            say(f"\n{tables(scores)}")
            if not options.patterns:
                PAGE.write_text(written(PAGE.read_text(), tables(scores)))
        finally:
            up.end()
    return not all(one.good for one in figures(scores))


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auto-lambda-corpus"


def scored(stack: Stack, project: Project, cache: Path) -> Score:
    """Drop a project, and once more as its author would after reading the receipt."""
    files = assembled(project, fetched(project.sdist, cache).read_bytes())
    for bucket in project.buckets:
        stack.s3.create_bucket(Bucket=bucket)
    first = dropped(stack, project, files)
    if first.code in (LIVE, OURS) or not project.runs:
        return Score(project, first)
    again = edited(project, files, first)
    return Score(project, first, dropped(stack, project, again) if again else None)


def dropped(stack: Stack, project: Project, files: Mapping[str, bytes]) -> Ended:
    drop = stack.drop(project.name, make_zip(files))
    try:
        receipt = stack.final(drop, SECONDS)
    except AssertionError as late:
        return Ended(OURS, str(late)[-2000:])
    error = receipt.get("error") or {}
    code = LIVE if receipt["status"] == LIVE else error.get("code", OURS)
    ended = Ended(code, error.get("message", ""), error.get("hint") or "", receipt.get("python") or "")
    return _asked(project, receipt, ended)


def _asked(project: Project, receipt: Mapping[str, Any], ended: Ended) -> Ended:
    """A live project that answers something else is as good as none."""
    if ended.code != LIVE or not project.answer:
        return ended
    answer = HTTP.request("GET", str(receipt["url"]).rstrip("/") + f"/{project.path}")
    if project.answer.encode() in answer.data:
        return ended
    return Ended("answers-otherwise", f"{answer.status} {answer.data[:300]!r}")


def edited(project: Project, files: Mapping[str, bytes], ended: Ended) -> dict[str, bytes] | None:
    """Return the files after an edit that the receipt names, None where it takes more than that."""
    text = {name: content.decode() for name, content in files.items() if _is_text(content)}
    try:
        after = followed(text, ended.message, ended.hint)
    except (KeyError, AssertionError):
        return None
    if after is None:
        return None
    for name, value in project.environment.items():
        answered = after.get("auto-lambda.toml", "").replace(f'{name} = "x"', f'{name} = "{value}"')
        after = {**after, "auto-lambda.toml": answered}
    kept = {name: content for name, content in files.items() if name not in text}
    return kept | {name: content.encode() for name, content in after.items()}


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def told(score: Score) -> Score:
    for ended in (score.dropped, score.followed):
        if ended:
            told = " | ".join(ended.told.strip().splitlines())
            say(f"{score.project.name}: {ended.code} {ended.python} {told[:1500]}".rstrip())
    say(f"{score.project.name}: {'right' if score.right else 'NOT RIGHT'}")
    return score


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
