"""What became of the projects of the corpus, as a table for `docs/reference/compatibility.md`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from corpus import Project

from auto_lambda.errors import Code

LIVE = "live"
OURS = "ours"
BEGIN, END = "<!-- make corpus writes from here -->\n", "<!-- to here -->\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a drop ended: ``live``, the error's code, or ``ours`` where no verdict came."""

    code: str
    message: str = ""
    hint: str = ""
    python: str = ""

    @property
    def told(self) -> str:
        return f"{self.message}\n{self.hint}"


@dataclass(frozen=True, slots=True)
class Score:
    """A project, how its drop ended, and how the next one did, after its author had followed the hint."""

    project: Project
    dropped: Ended
    followed: Ended | None = None

    @property
    def last(self) -> Ended:
        return self.followed or self.dropped

    @property
    def ours(self) -> bool:
        """Whether one of the drops got no verdict."""
        return OURS in (self.dropped.code, self.last.code)

    @property
    def right(self) -> bool:
        """Whether the author was told the truth: it is live, or stopped by what stops it, in the words that say so."""
        if self.dropped.code == LIVE:
            return self.project.runs
        named = self.dropped.code == self.project.expect and all(one in self.dropped.told for one in self.project.words)
        return named or (self.project.expect == LIVE and self.last.code == LIVE)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the summary; ``goal`` is the share that is wanted."""

    name: str
    reached: int
    of: int
    goal: float

    @property
    def good(self) -> bool:
        return self.reached >= self.goal * self.of


def figures(scores: Sequence[Score]) -> list[Figure]:
    """Return what is counted, each beside what is wanted."""
    can = [one for one in scores if one.project.runs]
    return [
        Figure(
            "live as dropped, of those that can run", _count(can, lambda one: one.dropped.code == LIVE), len(can), 0.72
        ),
        Figure("live after one round of hints", _count(can, lambda one: one.last.code == LIVE), len(can), 0.94),
        Figure("the right word", _count(scores, lambda one: one.right), len(scores), 1),
        Figure("a verdict, rather than a delay of ours", _count(scores, lambda one: not one.ours), len(scores), 1),
    ]


def _count(scores: Iterable[Score], good: Callable[[Score], bool]) -> int:
    return sum(map(good, scores))


def tables(scores: Sequence[Score]) -> str:
    """Return both tables as Markdown."""
    summary = ["| | reached | wanted |", "| --- | --- | --- |"]
    summary += [f"| {one.name} | {one.reached} of {one.of} | {one.goal:.0%} |" for one in figures(scores)]
    rows = ["| project | kind | from | as dropped | after one round of hints | right word |", "| --- " * 6 + "|"]
    return "\n".join([*summary, "", *rows, *map(_row, scores), ""])


def _row(score: Score) -> str:
    project = score.project
    after = _ending(score.followed) if score.followed else ""
    if not project.runs:
        after = f"cannot run: {project.why}"
    cells = (
        project.name,
        project.kind,
        f"`{project.sdist.release}`",
        _ending(score.dropped),
        after,
        "yes" if score.right else "no",
    )
    return "| " + " | ".join(cells) + " |"


def _ending(ended: Ended) -> str:
    if ended.code == LIVE:
        return f"live on {ended.python}" if ended.python else LIVE
    return ended.code if ended.code not in {one.value for one in Code} else f"[`{ended.code}`](errors.md#{ended.code})"


def written(page: str, text: str) -> str:
    """Return the page with the text between its marks."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError("the page has no place for the scores")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
