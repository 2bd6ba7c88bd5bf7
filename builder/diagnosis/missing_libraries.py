"""Recognise a start that fails as a library is missing that is opened by name, and say what to do instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_STEM = re.compile(r"(?:lib)?([A-Za-z]{3,100})")
_FILE = re.compile(r"lib[\w.+-]{1,200}?\.so(?:\.\d{1,9}){0,4}", re.ASCII)
_SPEAKS_OF_LIBRARIES = re.compile(r"librar", re.IGNORECASE)
_OF_LOADERS = frozenset({"ImportError", "OSError"})
_LONGEST = 20_000  # characters of a message
_MOST = 200  # names
_SHORTEST = 3  # letters of a name: fewer are in any text

_BY_FILE = {
    "libGL.so.1": "Require opencv-python-headless instead of opencv-python: Lambda has no display.",
    "libpq.so.5": "Require psycopg2-binary, or psycopg[binary]: these bring libpq along.",
    "libmysqlclient.so.21": "Require PyMySQL, which needs no library of the system.",
    "libodbc.so.2": "Lambda has no ODBC: use a driver in Python, such as python-tds, or bring unixODBC and the driver.",
    "libc.musl-x86_64.so.1": "This build is for Alpine (musl): take the manylinux wheel of the package.",
    "libc.musl-aarch64.so.1": "This build is for Alpine (musl): take the manylinux wheel of the package.",
}
_WEASYPRINT = (
    "WeasyPrint opens libgobject, libpango, libharfbuzz and libfontconfig by name, and no wheel brings them along. "
    "Make PDFs with fpdf2 instead of weasyprint: it needs no library. Or put all of them into the folder lib/ of the "
    "code."
)
_BY_STEM = {
    "magic": "Require pylibmagic as well, and import it before magic: its wheel brings libmagic along. Or take "
    "puremagic or filetype, which need no library.",
    **dict.fromkeys(("pango", "gobject", "harfbuzz", "fontconfig", "pangoft"), _WEASYPRINT),
    "zbar": "Take zxing-cpp instead of pyzbar: its wheels bring their library along.",
    "vips": "Require pyvips-binary as well: its wheels bring libvips along.",
    "MagickWand": "Take Pillow instead of Wand: its wheels bring their libraries along.",
    "enchant": "Take pyspellchecker instead of pyenchant: it needs no library.",
    "sndfile": "Require a release of soundfile from 0.11 on: its wheels bring libsndfile along.",
    "usb": "Require libusb-package: its wheels bring libusb along, and its README says how pyusb finds it.",
}


def missing_by_name(messages: Sequence[str], types: Collection[str], sought: Sequence[str]) -> str | None:
    """Return the file name of the library whose absence made a start fail, None if it was something else.

    Args:
        messages: of the exception and its causes.
        types: names of its type and of its causes' types.
        sought: what was asked for by name and not found, as it was asked for: ``libmagic.so.1``, ``magic``.
    """
    told = "\n".join(messages)[:_LONGEST].lower()
    if not (_OF_LOADERS.intersection(types) or _SPEAKS_OF_LIBRARIES.search(told)):
        return None
    asked = dict.fromkeys(name.rpartition("/")[2] for name in sought[:_MOST])
    stems = {name: match[1] if (match := _STEM.match(name)) else name for name in asked if len(name) >= _SHORTEST}
    named = [name for name, stem in stems.items() if stem.lower() in told]
    if not named:
        return None
    same = [name for name in named if stems[name] == stems[named[0]]]
    return next((name for name in same if _FILE.fullmatch(name)), f"lib{stems[named[0]]}.so")


def advice(names: Sequence[str], system: str) -> str:
    """Say what to do about libraries that Lambda lacks; ``system`` is Lambda's."""
    return next(filter(None, map(_known, names)), None) or (
        f"Require a wheel of the package that bundles the library, or put {names[0]}, as {system} has it, into the "
        "folder lib/ of the code (vendor/lib/ in a chalice project), where Lambda looks for libraries."
    )


def _known(name: str) -> str | None:
    stem = _STEM.match(name)
    return _BY_FILE.get(name) or (_BY_STEM.get(stem[1]) if stem else None)
