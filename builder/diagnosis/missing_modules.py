"""Say what to require, or to put into the zip, where modules are not found."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from builder.diagnosis.other_python import LOST
from builder.diagnosis.syntax import clean

_MOST_NAMED = 20
_LONGEST = 200  # characters of a module's name
_DISTRIBUTIONS = {
    "Crypto": "pycryptodome", "MySQLdb": "PyMySQL, by pymysql.install_as_MySQLdb()", "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow", "allauth": "django-allauth", "attr": "attrs", "bs4": "beautifulsoup4",
    "corsheaders": "django-cors-headers", "crispy_forms": "django-crispy-forms", "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil", "debug_toolbar": "django-debug-toolbar", "decouple": "python-decouple",
    "discord": "discord.py", "django_filters": "django-filter", "docx": "python-docx", "dotenv": "python-dotenv",
    "environ": "django-environ", "fitz": "PyMuPDF", "git": "GitPython", "github": "PyGithub",
    "graphql": "graphql-core", "import_export": "django-import-export", "jose": "python-jose", "jwt": "PyJWT",
    "ldap": "python-ldap", "magic": "python-magic", "multipart": "python-multipart", "nacl": "PyNaCl",
    "oauth2_provider": "django-oauth-toolkit", "openid": "python3-openid", "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary", "rest_framework": "djangorestframework",
    "rest_framework_simplejwt": "djangorestframework-simplejwt", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "slugify": "python-slugify", "social_django": "social-auth-app-django",
    "socks": "PySocks", "storages": "django-storages", "taggit": "django-taggit", "telegram": "python-telegram-bot",
    "yaml": "PyYAML", "zmq": "pyzmq",
}  # fmt: skip
"""What package indexes call packages whose modules have another name."""


def add_hint(missing: str, absent: Iterable[str], *, manifest: str, place: str, own: Collection[str] = ()) -> str:
    """Return the hint for a module that was not found, and for those that would be missed next.

    Args:
        missing: the module.
        absent: top-level modules that the same files import, and that are not there either.
        manifest: where requirements are written.
        place: where modules of the app's own belong.
        own: those of them that the zip has.
    """
    others = [name for name in absent if name not in LOST and name not in own and name != missing.partition(".")[0]]
    names = [_named(name) for name in dict.fromkeys([missing, *others])][:_MOST_NAMED]
    if len(names) == 1:
        return f"Add the package that provides {names[0]} to {manifest}, or put the module into {place}."
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"Add the packages that provide {listed} to {manifest}, or put the modules into {place}."


def lost_submodule_hint(missing: str, site: Path | None, culprit: str | None) -> str | None:
    """Return the hint for a module that a package which is installed does not have, else None.

    Args:
        missing: the module.
        site: where dependencies are installed.
        culprit: the dependency that imports it; None if the app itself does.
    """
    top = missing.partition(".")[0]
    if top == missing or not top.isidentifier() or site is None or not (site / top / "__init__.py").is_file():
        return None
    newer = f"a newer one of {culprit}" if culprit and culprit != top else "correct the import"
    return (
        f"The release of {clean(top)} that is installed has no module {clean(missing)}: require an older one in the "
        f"app's requirements, or {newer}."
    )


def distribution_names(module: str) -> list[str]:
    """Return what the distribution of a module may be called, as far as its name shows."""
    top = module.partition(".")[0]
    known = _DISTRIBUTIONS.get(top, top).partition(",")[0]
    dotted = module[:_LONGEST].split(".")
    return [known, *("-".join(dotted[:end]) for end in range(1, len(dotted) + 1)), f"python-{top}", f"django-{top}"]


def _named(module: str) -> str:
    distribution = _DISTRIBUTIONS.get(module)
    return f"{clean(module)} ({distribution})" if distribution else clean(module)
