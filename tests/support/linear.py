"""Comparison of a parser's CPU times for texts that double in size."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable

from auto_lambda.errors import AppError

SMALLEST, LARGEST = 8 * 1024, 1024 * 1024  # bytes
NOISE = 0.02  # CPU seconds: of less, a ratio says nothing
_REPEATS = 3


def assert_linear(parse: Callable[[str], object], worst: Callable[[int], str], largest: int = LARGEST) -> None:
    """Fail if twice the text takes three times as long, twice in a row.

    A quadratic parser takes four times as long at each doubling, and fails at a size at which it ends soon: the sizes
    double up to the largest. Once in a while the processor's caches are too small for the double size.
    """

    def best(size: int) -> float:
        text = worst(size)
        assert len(text) > size * 0.8
        return min(cpu_seconds(parse, text) for _ in range(_REPEATS))

    size, seconds, jumped = SMALLEST, best(SMALLEST), False
    while size < largest or jumped:
        size, before = size * 2, seconds
        limit = 3 * max(before, NOISE)
        # Whatever else the machine does makes a measurement longer, never shorter.
        seconds = next((taken for _ in range(_REPEATS) if (taken := best(size)) < limit), limit)
        assert not jumped or seconds < limit, f"more than {limit:.2f} s for {size} bytes, {before:.2f} s for half"
        jumped = seconds == limit


def cpu_seconds(parse: Callable[[str], object], text: str) -> float:
    """Return the CPU seconds that a text takes; that the uploader is told what is wrong with it counts as parsed.

    The collector of cycles is off: its time grows with what other tests have left in memory.
    """
    gc.disable()
    try:
        began = time.process_time()
        with contextlib.suppress(AppError):
            parse(text)
        return time.process_time() - began
    finally:
        gc.enable()


def repeated(part: str, *, start: str = "", end: str = "") -> Callable[[int], str]:
    """Return what makes texts of one part over and over."""
    return lambda size: start + part * (size // len(part)) + end


def numbered(form: str) -> Callable[[int], str]:
    """Return what makes texts of one form with numbers."""
    return lambda size: "".join(form.format(number) for number in range(size // len(form)))
