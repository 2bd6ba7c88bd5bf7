"""Telling Python 2 from other syntax errors."""

from __future__ import annotations

import pytest

from builder.diagnosis.python2 import looks_like_python2


@pytest.mark.parametrize(
    "source",
    [
        "print 'hello'", "print x", "exec 'code'", "try: pass\nexcept ValueError, e: pass",
        "try: pass\nexcept (A, B), e: pass", "raise ValueError, 'why'", "x = 0777", "x = 10L", "if a <> b: pass",
        "x = ur'text'", "x = `y`",
    ],
)  # fmt: skip
def test_python_2_is_recognised(source: str) -> None:
    with pytest.raises(SyntaxError) as raised:
        compile(source, "app.py", "exec")
    assert looks_like_python2(raised.value.msg, raised.value.text or "")


@pytest.mark.parametrize(
    "source", ["def f(:", "x = ", "print('a'", "for x in y", "class A\n  pass", "x = 'open", "return <-", "x = {1: 2"]
)
def test_other_mistakes_are_not(source: str) -> None:
    with pytest.raises(SyntaxError) as raised:
        compile(source, "app.py", "exec")
    assert not looks_like_python2(raised.value.msg, raised.value.text or "")
