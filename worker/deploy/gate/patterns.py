"""Compares texts with the wildcards of IAM, in time that grows with the product of their lengths at most.

A regular expression with a ``.*`` for each ``*`` would try every way to share a text among them, and apps write both.
"""

from __future__ import annotations

import re


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


def overlap(one: str, other: str) -> bool:
    """Tell whether there is a text that both patterns match.

    The bits of a number say up to where in ``one`` the texts can have come that ``other`` matches up to here.
    """
    one = re.sub(r"\*+", "*", one)
    stars = sum(1 << at for at, sign in enumerate(one) if sign == "*")
    takes = {sign: sum(1 << at for at, own in enumerate(one) if own in (sign, "?")) for sign in set(other)}
    any_one = (1 << len(one)) - 1 & ~stars
    all_after = (1 << len(one) + 1) - 1

    def past_stars(reached: int) -> int:
        return reached | (reached & stars) << 1

    reached = past_stars(1)
    for sign in re.sub(r"\*+", "*", other):
        if sign == "*":
            reached = all_after & ~((reached & -reached) - 1) if reached else 0
        else:
            step = any_one if sign == "?" else takes[sign] & ~stars
            reached = past_stars((reached & step) << 1 | reached & stars)
    return bool(reached >> len(one) & 1)
