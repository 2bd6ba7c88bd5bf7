"""The worker, whose builds are remembered: ``python -m remembered_builds``.

What fails in AWS is the same whether an app was compiled a second ago or an hour ago, and building takes most of the
time of a drop. So a zip that differs from another one only by its names is built once; its result gets the new names,
which are as long as the old ones.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auto_lambda.files import remove_tree
from worker.__main__ import main
from worker.builds.client import Builds, BuiltApp, CheckedFile

FOLDER = "CHAOS_BUILDS"
"""The variable with the folder in which results are; it outlives workers."""
_NAMES = re.compile(rb"(?:app|word)[0-9]{8}")
_build = Builds.build


@dataclass
class _Recorder:
    """Passes on what a listener is told, and keeps it."""

    listener: Any
    told: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        def tell(*arguments: Any) -> Any:
            if name != "check":
                self.told.append((name, arguments))
            return getattr(self.listener, name)(*arguments)

        return tell


def build(self: Builds, request: Any, zip_path: Path, into: Path, listener: Any) -> BuiltApp:
    """As `Builds.build`."""
    own, text = request.name.encode(), zip_text(zip_path)
    names = list(dict.fromkeys([own, *_NAMES.findall(text)]))
    places = [b"%012d" % place for place in range(len(names))]
    key = hashlib.sha256(replaced(text + repr(request).encode(), names, places)).hexdigest()
    kept, tells = Path(os.environ[FOLDER]) / key, True
    if not kept.exists():
        recorder, tells = _Recorder(listener), False
        made = _build(self, request, zip_path, into, recorder)
        if keep(kept, made, recorder.told, names):
            return made
        remove_tree(into)  # names are part of hashes: what follows must be like what all others get
        into.mkdir()
    before = (kept / "names").read_bytes().split(b"\n")
    told, result, layer = pickle.loads(replaced((kept / "result").read_bytes(), before, names))
    for name, arguments in told if tells else ():
        getattr(listener, name)(*arguments)
    code = into / "code.zip"
    rename(kept / "code.zip", code, before, names)
    content = code.read_bytes()
    return BuiltApp(
        result,
        CheckedFile(code, hashlib.sha256(content).hexdigest(), len(content)),
        CheckedFile(Path(shutil.copy(kept / "layer.zip", into)), *layer) if layer else None,
    )


def keep(kept: Path, made: BuiltApp, told: list[Any], names: list[bytes]) -> bool:
    """Keep a result under its names, all of it or nothing. Tells whether no other worker was faster."""
    scratch = kept.with_name(f"{kept.name}.{os.getpid()}")
    scratch.mkdir(parents=True)
    shutil.copy(made.code.path, scratch / "code.zip")
    layer = (made.layer.sha256, made.layer.size) if made.layer else None
    if made.layer:
        shutil.copy(made.layer.path, scratch / "layer.zip")
    (scratch / "names").write_bytes(b"\n".join(names))
    (scratch / "result").write_bytes(pickle.dumps((told, made.result, layer)))
    try:
        scratch.rename(kept)
    except OSError:
        shutil.rmtree(scratch)
        return False
    return True


def replaced(content: bytes, names: list[bytes], by: list[bytes]) -> bytes:
    """Return content with names replaced by others of equal length."""
    new = dict(zip(names, by, strict=True))
    return _NAMES.sub(lambda found: new.get(found[0], found[0]), content)


def rename(source: Path, target: Path, before: list[bytes], names: list[bytes]) -> None:
    """Copy a zip, with other names in its files."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info, replaced(old.read(info), before, names), zipfile.ZIP_DEFLATED)


def zip_text(path: Path) -> bytes:
    """Return what is in a zip, but for times."""

    def parts() -> Iterator[bytes]:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                yield f"{info.filename} {info.external_attr}\n".encode()
                yield archive.read(info)

    return b"".join(parts())


if __name__ == "__main__":
    Builds.build = build  # type: ignore[method-assign]
    sys.exit(main())
