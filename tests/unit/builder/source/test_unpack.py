from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from hostile_zips import APP, UTF8, Raw, build, hostile_zips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.source.unpack import ZipLimits, unpack

QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def files(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def unpacked(data: bytes, where: Path, limits: ZipLimits | None = None) -> dict[str, bytes]:
    where.mkdir(exist_ok=True)
    (where / "upload.zip").write_bytes(data)
    shutil.rmtree(where / "tree", ignore_errors=True)
    unpack(where / "upload.zip", where / "tree", limits or ZipLimits())
    return files(where / "tree")


def refused(data: bytes, where: Path, limits: ZipLimits | None = None) -> AppError:
    with pytest.raises(AppError) as caught:
        unpacked(data, where, limits)
    return caught.value


@pytest.mark.parametrize(("data", "code"), [pytest.param(data, code, id=name) for name, data, code in hostile_zips()])
def test_each_hostile_zip_gets_its_own_code_and_touches_nothing_outside(
    tmp_path: Path, data: bytes, code: Code
) -> None:
    inside = tmp_path / "inside"

    error = refused(data, inside)

    assert error.code == code
    assert error.hint.endswith(".")
    assert error.message.isprintable()
    assert error.message.isascii()
    assert listed(tmp_path) == {"inside"}
    assert listed(inside) <= {"upload.zip", "tree"}
    assert all(path.is_dir() or path.is_file() for path in inside.rglob("*"))
    assert not any(path.is_symlink() for path in inside.rglob("*"))


def test_hostile_cases_have_different_names() -> None:
    names = [name for name, _, _ in hostile_zips()]

    assert len(names) == len(set(names))


def test_what_has_bad_names_or_kinds_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    refused(build(*APP, Raw("../evil.py")), tmp_path)

    assert files(tmp_path / "tree") == {}


def test_the_message_names_the_entry_without_its_control_characters(tmp_path: Path) -> None:
    assert r"'\x1b[2Jclear.py'" in refused(build(Raw("\x1b[2Jclear.py")), tmp_path).message


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (ZipLimits(entries=2), Code.ZIP_TOO_MANY_FILES),
        (ZipLimits(total_bytes=29), Code.ZIP_TOO_LARGE),
        (ZipLimits(ratio=1, ratio_from=10), Code.ZIP_BOMB),
        (ZipLimits(depth=1), Code.ZIP_UNSAFE_NAME),
    ],
)
def test_limits_hold_just_beyond_what_they_allow(tmp_path: Path, limits: ZipLimits, code: Code) -> None:
    data = build(Raw("a", b"x" * 10), Raw("b", b"x" * 10), Raw("c/d", b"x" * 250))
    allowed = ZipLimits(entries=3, total_bytes=270, ratio=3, ratio_from=10, depth=2)

    assert len(unpacked(data, tmp_path, allowed)) == 3
    assert refused(data, tmp_path, limits).code == code


def test_a_folder_that_holds_something_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "upload.zip").write_bytes(build(*APP))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "mine").touch()

    with pytest.raises(FileExistsError):
        unpack(tmp_path / "upload.zip", tmp_path / "tree")


def test_a_full_disk_is_no_fault_of_the_uploader(tmp_path: Path) -> None:
    import resource
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    (tmp_path / "upload.zip").write_bytes(build(Raw("a", os.urandom(5000))))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            unpack(tmp_path / "upload.zip", tmp_path / "tree")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


# Ordinary zips


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / ".chalice").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "app.py").write_text("app = 1\n" * 500)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".chalice" / "config.json").write_text("{}")
    (folder / "größe.txt").write_text("nichts\n")
    (folder / "no-content").touch()
    return folder


def test_zips_by_pythons_own_tools(tmp_path: Path, app: Path) -> None:
    data = Path(shutil.make_archive(str(tmp_path / "made"), "zip", app)).read_bytes()

    assert unpacked(data, tmp_path / "out") == files(app)
    assert (tmp_path / "out" / "tree" / "empty").is_dir()


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP's zip")
@pytest.mark.parametrize("output", ["file", "stream"])
def test_zips_by_info_zip(tmp_path: Path, app: Path, output: str) -> None:
    to = str(tmp_path / "made.zip") if output == "file" else "-"
    done = subprocess.run(["zip", "-q", "-r", to, "."], cwd=app, check=True, stdout=subprocess.PIPE)
    data = (tmp_path / "made.zip").read_bytes() if output == "file" else done.stdout

    assert unpacked(data, tmp_path / "out") == files(app)


class OneWay(io.RawIOBase):
    """A pipe: zipfile then writes sizes behind the data."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(data)  # type: ignore[arg-type]


def test_streamed_zips_and_zip64(tmp_path: Path) -> None:
    pipe = OneWay()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", "a" * 1000)
        with archive.open("b.py", "w", force_zip64=True) as file:
            file.write(b"b" * 1000)

    assert unpacked(pipe.data, tmp_path) == {"a.py": b"a" * 1000, "b.py": b"b" * 1000}


def test_a_zip64_end_record_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.py", "1")
        archive.writestr("b.py", "2")
    assert b"PK\x06\x06" in made.getvalue()

    assert unpacked(made.getvalue(), tmp_path) == {"a.py": b"1", "b.py": b"2"}
    assert refused(made.getvalue(), tmp_path, ZipLimits(entries=1)).code == Code.ZIP_TOO_MANY_FILES
    moved = made.getvalue().replace(b"PK\x06\x07\0\0\0\0", b"PK\x06\x07\0\0\0\0\1", 1)
    assert refused(moved, tmp_path).code == Code.ZIP_CORRUPT


def test_a_comment_is_allowed(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.py", "1")
        archive.comment = b"made from commit 0123456789abcdef"

    assert unpacked(made.getvalue(), tmp_path) == {"a.py": b"1"}


def test_backslashes_are_separators_in_zips_made_on_windows(tmp_path: Path) -> None:
    data = build(
        Raw("src\\", b"", 0, mode=0, system=0), Raw("src\\app.py", b"1", mode=0, system=0), Raw("a/b.py", system=0)
    )

    assert unpacked(data, tmp_path) == {"src/app.py": b"1", "a/b.py": b"x"}


def test_leftovers_of_macos_are_dropped(tmp_path: Path) -> None:
    data = build(*APP, Raw("__MACOSX/._app.py"), Raw(".DS_Store"), Raw("lib/.DS_Store"))

    assert set(unpacked(data, tmp_path)) == {"app.py", ".chalice/config.json"}


def test_a_leading_dot_slash_is_dropped(tmp_path: Path) -> None:
    data = build(Raw("./", b"", 0, mode=stat.S_IFDIR | 0o755), Raw("./app.py", b"1"), Raw("./a/b.py", b"2"))

    assert unpacked(data, tmp_path) == {"app.py": b"1", "a/b.py": b"2"}


def test_utf8_names_that_do_not_say_so_are_read_as_utf8_and_others_as_dos_wrote_them(tmp_path: Path) -> None:
    data = build(Raw("größe.txt".encode(), flags=0), Raw("größe2.txt".encode("cp437"), flags=0))

    assert set(unpacked(data, tmp_path)) == {"größe.txt", "größe2.txt"}


def test_the_executable_bit_stays_and_set_id_and_write_bits_go(tmp_path: Path) -> None:
    data = build(
        Raw("plain", mode=stat.S_IFREG | 0o666),
        Raw("program", mode=stat.S_IFREG | 0o6777),
        Raw("secret", mode=stat.S_IFREG | 0o400),
        Raw("windows", mode=0, system=0),
    )
    unpacked(data, tmp_path)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tree").iterdir()}
    assert modes == {"plain": 0o644, "program": 0o755, "secret": 0o644, "windows": 0o644}


# Properties

WORDS = st.text(st.sampled_from("abcdefgxyz0189_-. é漢"), min_size=1, max_size=8).filter(
    lambda word: word.strip(".") != "" and word.isprintable()
)
TREES = st.dictionaries(
    st.lists(WORDS, min_size=1, max_size=4).map("/".join), st.binary(max_size=3000), min_size=1, max_size=12
).filter(lambda tree: not any(one != two and f"{two}/".startswith(f"{one}/") for one in tree for two in tree))


@QUICK
@given(TREES, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_any_ordinary_tree_comes_out_as_it_went_in(tmp_path: Path, tree: dict[str, bytes], method: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in tree.items():
            archive.writestr(name, content)

    assert unpacked(made.getvalue(), tmp_path) == tree


SEEDS = [
    build(*APP, Raw("lib/data.bin", bytes(range(256)) * 4, 0)),
    build(*APP, Raw("link", b"../../evil", 0, mode=stat.S_IFLNK | 0o777), Raw("../evil", flags=UTF8)),
]
EDITS = st.lists(
    st.tuples(st.integers(0, 5000), st.sampled_from(["set", "cut", "add", "copy"]), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    for where, how, new in edits:
        at = where % (len(data) + 1)
        after = {"set": data[at + len(new) :], "cut": data[at + len(new) :], "add": data[at:], "copy": data[at // 2 :]}
        data = data[:at] + (b"" if how == "cut" else new) + after[how]
    return data


@settings(QUICK, max_examples=600)
@given(st.sampled_from(SEEDS), EDITS)
def test_a_mangled_zip_is_unpacked_or_refused_and_nothing_else(
    tmp_path: Path, seed: bytes, edits: list[tuple[int, str, bytes]]
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True, exist_ok=True)

    with contextlib.suppress(AppError):
        unpacked(mutated(seed, edits), inside)

    assert listed(tmp_path) == {"a"}
    assert listed(tmp_path / "a") == {"b"}
    assert listed(inside) <= {"upload.zip", "tree"}
    assert not any(path.is_symlink() for path in inside.rglob("*"))


@settings(QUICK, max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([b"", b"PK\x05\x06" + bytes(18), b"PK\x06\x06PK\x06\x07PK\x05\x06"]))
def test_arbitrary_bytes_are_refused(tmp_path: Path, noise: bytes, end: bytes) -> None:
    assert refused(noise + end, tmp_path).code.startswith(("zip-", "not-a-zip"))


# What is left out


LINK = stat.S_IFLNK | 0o777


def warned(data: bytes, where: Path) -> tuple[str, ...]:
    (where / "again.zip").write_bytes(data)
    return unpack(where / "again.zip", where / "again")


@pytest.mark.parametrize("marker", ["pyvenv.cfg", "conda-meta/history", "bin/activate_this.py"])
def test_a_virtual_environment_is_left_out_with_its_links(tmp_path: Path, marker: str) -> None:
    data = build(
        *APP, Raw(f"shop/venv/{marker}"), Raw("shop/venv/bin/python", b"/usr/bin/python3", mode=LINK),
        Raw("shop/venv/lib/python3.12/site-packages/x.py"),
    )  # fmt: skip

    assert unpacked(data, tmp_path) == unpacked(build(*APP), tmp_path / "without")
    (warning,) = warned(data, tmp_path)
    assert "shop/venv" in warning


def test_of_an_environment_in_the_projects_own_folder_only_its_own_files_are_left_out(tmp_path: Path) -> None:
    theirs = (Raw("app.py"), Raw("bin/tool"), Raw("lib/mine.py"))
    own = (
        Raw("pyvenv.cfg"), Raw("bin/python3", b"/usr/bin/python3", mode=LINK), Raw("bin/activate"),
        Raw("lib64", b"lib", mode=LINK), Raw("lib/python3.12/site-packages/x.py"),
    )  # fmt: skip

    assert set(unpacked(build(*theirs, *own), tmp_path)) == {"app.py", "bin/tool", "lib/mine.py"}
    assert "the root of the zip" in warned(build(*theirs, *own), tmp_path)[0]


def test_an_environment_counts_for_no_limit_of_size(tmp_path: Path) -> None:
    data = build(Raw("app.py", b"x"), Raw("venv/pyvenv.cfg"), Raw("venv/lib/large.so", b"x" * 1000))

    assert unpacked(data, tmp_path, ZipLimits(total_bytes=10)) == {"app.py": b"x"}


def test_links_elsewhere_are_still_refused_and_nothing_is_left_out_of_an_ordinary_app(tmp_path: Path) -> None:
    data = build(Raw("venv/pyvenv.cfg"), Raw("tool", b"/etc/passwd", mode=LINK))

    assert refused(data, tmp_path).code == Code.ZIP_LINK
    assert warned(build(*APP), tmp_path) == ()


def test_apple_doubles_and_icons_of_folders_are_dropped(tmp_path: Path) -> None:
    data = build(
        Raw("shop/app.py", b"x"), Raw("shop/._app.py", b"\0"), Raw("._shop", b"\0"), Raw("shop/Icon\r"),
        Raw("shop/lib/._x/y"), Raw("shop/lib/x/y"), Raw("shop/._hidden"),
    )  # fmt: skip

    assert set(unpacked(data, tmp_path)) == {"shop/app.py", "shop/lib/x/y", "shop/._hidden"}
