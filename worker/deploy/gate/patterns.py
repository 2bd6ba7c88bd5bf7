"""Compares texts with the wildcards of IAM, in time that grows with the product of their lengths at most.

A regular expression with a ``.*`` for each ``*`` would try every way to share a text among them, and apps write both.
"""

from __future__ import annotations


def covers(pattern: str, asked: str) -> bool:
    """Tell whether a pattern with ``*`` and ``?`` matches everything that another one matches.

    A ``*`` of what is asked is covered by a ``*`` only: it stands for more than one character.
    """
    at, star, resumed, position = 0, -1, 0, 0
    while position < len(asked):
        wanted = pattern[at : at + 1]
        if wanted == "*":
            star, resumed = at, position
            at += 1
        elif wanted == asked[position] or (wanted == "?" and asked[position] != "*"):
            at, position = at + 1, position + 1
        elif star >= 0:  # the last star takes one character more; an earlier one never has to
            resumed += 1
            at, position = star + 1, resumed
        else:
            return False
    return not pattern[at:].strip("*")
