"""Say what a failed build lacks on this machine, and what an app may require instead.

What a build prints may be an upload's own words: they only choose between fixed sentences and name a library.
"""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

_MYSQL = "PyMySQL, which needs no library (pymysql.install_as_MySQLdb() lets it stand in for MySQLdb)"
_DESKTOP = "It belongs to a desktop's own Python: delete the line if a freeze of the whole system wrote it"
_WHEEL = "or put a wheel into the zip and name its path"
_INSTEAD = {
    "cx-oracle": "oracledb, its successor, which needs no library",
    "gdal": "rasterio, fiona or pyogrio, whose wheels bring GDAL along",
    "m2crypto": "cryptography",
    "mariadb": _MYSQL,
    "mysql-python": _MYSQL,
    "mysqlclient": _MYSQL,
    "psycopg2": "psycopg2-binary, which is the same with wheels",
    "pycrypto": "pycryptodome, which has the same modules",
    "pylibmc": "pymemcache",
    "pymssql": "a release of it with wheels, from 2.2 on",
    "python-ldap": "ldap3, which needs no library",
    "uwsgi": "nothing in its place: on Lambda, API Gateway is the server",
}
_RENAMED = {"dotenv": "python-dotenv", "pil": "Pillow", "scikits-image": "scikit-image", "sklearn": "scikit-learn"}
_DESKTOPS = frozenset({"brlapi", "cupshelpers", "dbus-python", "pycairo", "pycups", "pygobject", "systemd-python"})
# Bounded, since they run over all that a hostile build may print.
_LACKS = (
    (re.compile(r"fatal error: ([\w./+-]{1,120}\.h(?:pp)?): No such file"), "the header {} of a C library"),
    (re.compile(r"(?:No package|Package) '?([\w.+-]{1,60})'?,? (?:found|was not found|required by)"), "the library {}"),
    (re.compile(r"pkg-config --exists ([\w.+-]{1,60})"), "the library {}"),
    (re.compile(r"(pg_config|mysql_config|gdal-config|curl-config|nc-config|krb5-config)[^\n]{0,80}not found"), "{}"),
    (re.compile(r"command '[^'\n]{0,80}?(gcc|g\+\+|cc|clang|gfortran|swig)' failed: No such file"), "the compiler {}"),
    (re.compile(r"(?i)can't find (Rust) compiler|(cargo|rustc)[^\n]{0,60} not (?:found|installed)"), "the compiler {}"),
    (re.compile(r"(?i)\b(cmake)\b[^\n]{0,60}(?:must be installed|not found|is required)"), "{}"),
)


def hint(name: str, output: str) -> str | None:
    """Return what to do about a failed build of a package, None if nothing is known of it.

    Args:
        name: of the package.
        output: of its build.
    """
    key = canonicalize_name(name)
    if key in _DESKTOPS:
        return f"{_DESKTOP}."
    if new := _RENAMED.get(key):
        return f"Require {new} in its place: that is its name on package indexes."
    lacking, instead = _lacking(output), _INSTEAD.get(key)
    if lacking is None and instead is None:
        return None
    says = [f"Its build needs {lacking}, which this machine does not have."] if lacking else []
    says += [f"Require {instead}."] if instead else []
    also = "Or ask" if instead else "Ask"
    return " ".join([*says, f"{also} whoever runs the pipeline to install what it needs on the workers, {_WHEEL}."])


def _lacking(output: str) -> str | None:
    found = ((pattern.search(output), words) for pattern, words in _LACKS)
    return next((words.format(next(filter(None, match.groups()))) for match, words in found if match), None)
