"""Names that popular packages no longer have, and the releases that had them, for code that still imports them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import Requirement

_OF_WERKZEUG = (
    "FileStorage Href ImmutableMultiDict MultiDict SharedDataMiddleware abort cached_property check_password_hash "
    "escape generate_password_hash import_string parse_cookie redirect secure_filename url_decode url_encode url_fix "
    "url_quote url_unquote wrap_file"
)
_NAMES = {  # module -> what had them -> the names
    "django.conf.urls": {"django<4": "url", "django<2": "patterns"},
    "django.core": {"django<2": "urlresolvers"},
    "django.core.files.storage": {"django<5.1": "get_storage_class"},
    "django.shortcuts": {"django<3": "render_to_response"},
    "django.utils": {"django<3": "six lru_cache"},
    "django.utils.encoding": {"django<4": "force_text smart_text", "django<3": "python_2_unicode_compatible"},
    "django.utils.http": {"django<4": "is_safe_url urlquote urlunquote"},
    "django.utils.timezone": {"django<5": "utc"},
    "django.utils.translation": {"django<4": "ugettext ugettext_lazy ugettext_noop ungettext ungettext_lazy"},
    "flask": {"flask<3": "Markup escape", "flask<2.3": "_app_ctx_stack _request_ctx_stack", "flask<2.1": "safe_join"},
    "flask.helpers": {"flask<2.1": "safe_join"},
    "flask.json": {"flask<2.3": "JSONDecoder JSONEncoder"},
    "itsdangerous": {"itsdangerous<2.1": "JSONWebSignatureSerializer TimedJSONWebSignatureSerializer json"},
    "jinja2": {"jinja2<3.1": "Markup contextfilter contextfunction environmentfilter escape evalcontextfilter"},
    "markupsafe": {"markupsafe<2.1": "soft_unicode"},
    "numpy": {"numpy<1.24": "bool float int object str", "numpy<2": "Inf NaN cumproduct float_ product unicode_"},
    "werkzeug": {"werkzeug<1": _OF_WERKZEUG},
    "werkzeug.security": {"werkzeug<2.1": "safe_str_cmp"},
    "werkzeug.urls": {"werkzeug<3": "url_decode url_encode url_join url_parse url_quote url_unparse url_unquote"},
    "werkzeug.wsgi": {"werkzeug<1": "DispatcherMiddleware SharedDataMiddleware"},
}  # fmt: skip
_HAD = {
    (module, name): had for module, table in _NAMES.items() for had, names in table.items() for name in names.split()
}
_MODULES = {
    "django.contrib.staticfiles.templatetags": "django<3",
    "django.core.urlresolvers": "django<2",
    "django.utils.lru_cache": "django<3",
    "django.utils.six": "django<3",
    "flask._compat": "flask<2",
    "flask.ext": "flask<1",
    "flask.scaffold": "flask<2.3",
    "sklearn.externals.joblib": "scikit-learn<0.23",
    "werkzeug.contrib": "werkzeug<1",
}
# Bounded: an untrusted message may be one word of a hundred thousand letters.
_LOST = (
    re.compile(r"cannot import name '(?P<name>\w{1,100})' from '(?P<module>[\w.]{1,100})'"),
    re.compile(r"module '(?P<module>[\w.]{1,100})' has no attribute '(?P<name>\w{1,100})'"),
)


def lost_name_hint(message: str, culprit: str | None) -> str | None:
    """Return the hint for an import that failed on a name that a package no longer has, else None.

    Args:
        message: the failure's.
        culprit: the dependency that asks for it; None if the app itself does.
    """
    for module, name in _found(message):
        if had := _HAD.get((module, name)):
            return _hint(f"{module}.{name}", had, culprit)
    return None


def lost_module_hint(missing: str, culprit: str | None = None) -> str | None:
    """Return the hint for a module that a package no longer has, else None."""
    parts = missing.split(".")
    had = next((had for end in range(len(parts), 1, -1) if (had := _MODULES.get(".".join(parts[:end])))), None)
    return _hint(missing, had, culprit) if had else None


def _found(message: str) -> Iterator[tuple[str, str]]:
    return ((one["module"], one["name"]) for pattern in _LOST for one in pattern.finditer(message))


def _hint(what: str, had: str, culprit: str | None) -> str:
    requirement = Requirement(had)
    since = next(iter(requirement.specifier)).version
    instead = f"take a newer release of {culprit}" if culprit else "correct the import"
    lost = f"{requirement.name} has no {what} since release {since}"
    return f"{lost}: require {had} in the app's requirements, or {instead}."
