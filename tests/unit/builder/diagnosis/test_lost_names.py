"""What to require where code asks packages for names that they no longer have."""

from __future__ import annotations

import pytest
from linear import assert_linear, repeated

from builder.diagnosis.lost_names import lost_module_hint, lost_name_hint
from builder.diagnosis.other_python import import_hint


@pytest.mark.parametrize(
    ("message", "bound"),
    [
        ("ImportError: cannot import name 'check_password_hash' from 'werkzeug' (/opt/python/x.py)", "werkzeug<1 "),
        ("ImportError: cannot import name 'escape' from 'flask' (/opt/python/flask/__init__.py)", "flask<3 "),
        ("ImportError: cannot import name 'safe_join' from 'flask'", "flask<2.1 "),
        ("ImportError: cannot import name 'ugettext_lazy' from 'django.utils.translation'", "django<4 "),
        ("AttributeError: module 'numpy' has no attribute 'float'. `np.float` was", "numpy<1.24 "),
    ],
)
def test_the_release_that_had_a_name_is_the_one_to_require(message: str, bound: str) -> None:
    hint = lost_name_hint(message, None) or ""
    assert f"require {bound}in the app's requirements, or correct the import" in hint
    assert import_hint(message, own=True) == hint


def test_a_dependency_that_asks_for_it_may_be_renewed() -> None:
    frame = '  File "/opt/python/flask_old/__init__.py", line 1, in <module>\n'
    hint = import_hint(f"{frame}ImportError: cannot import name '_app_ctx_stack' from 'flask'", own=False) or ""
    assert "require flask<2.3 in the app's requirements, or take a newer release of flask_old" in hint


@pytest.mark.parametrize(
    ("missing", "bound"),
    [("werkzeug.contrib.fixers", "werkzeug<1"), ("django.core.urlresolvers", "django<2"), ("flask.ext", "flask<1")],
)
def test_a_module_that_a_package_lost(missing: str, bound: str) -> None:
    assert f"require {bound} " in (lost_module_hint(missing) or "")
    assert import_hint("", missing) == lost_module_hint(missing)


def test_of_all_others_nothing_is_known() -> None:
    assert lost_name_hint("ImportError: cannot import name 'cart' from 'shop'", None) is None
    assert lost_name_hint("ImportError: cannot import name 'Flask' from 'flask'", None) is None
    assert lost_module_hint("werkzeug") is None
    assert lost_module_hint("shop.cart") is None


@pytest.mark.parametrize("part", ["'", "cannot import name 'a' from '", "module 'a", "a."])
def test_hostile_messages_take_linear_time(part: str) -> None:
    assert_linear(lambda text: lost_name_hint(text, None), repeated(part))
