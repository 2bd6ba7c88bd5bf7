from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.files import remove_tree
from auto_lambda.redact import HIDDEN, Redactor
from builder.sandbox.sandbox import Command, Limits, Outcome, PlainSandbox, printable, read_json


def run(script: str, cwd: Path, limits: Limits | None = None, **env: str) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    command = Command(
        (sys.executable, "-I", "-c", script), cwd, env=env, writable=(cwd,), limits=limits or Limits(wall=20)
    )
    return PlainSandbox().run(command, said.append), said


def gone(pid: int, argument: str) -> bool:
    """Whether no process of that number has the argument: another one may have got the number since."""
    for _ in range(1000):
        try:
            if argument not in Path(f"/proc/{pid}/cmdline").read_text():
                return True  # a killed one that its parent has not collected has none
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_lines_come_as_they_are_written_and_the_exit_code_is_kept(tmp_path: Path) -> None:
    outcome, said = run("print('one'); import sys; print('two', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (outcome.returncode, outcome.ok, outcome.stopped) == (3, False, None)
    assert sorted(said) == ["one", "two"]
    assert sorted(outcome.output.split("\n")) == said or outcome.output.split("\n") == said


def test_the_environment_is_the_given_one_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    outcome, _ = run("import os, json; print(json.dumps(dict(os.environ)))", tmp_path, SHOP="open")
    env = json.loads(outcome.output)
    assert set(env) - {"LC_CTYPE"} == {"PATH", "HOME", "LANG", "TMPDIR", "SHOP"}
    assert env["SHOP"] == "open"
    assert Path(env["TMPDIR"]).is_relative_to(tmp_path)


def test_scratch_folders_are_gone_afterwards_even_when_locked(tmp_path: Path) -> None:
    script = "import os; d = os.environ['TMPDIR'] + '/a/b'; os.makedirs(d); open(d + '/f', 'w'); os.chmod(d, 0)"
    assert run(script, tmp_path)[0].ok
    assert list(tmp_path.iterdir()) == []


def test_wall_time_ends_a_command_that_ignores_sigterm(tmp_path: Path) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    outcome, said = run(script, tmp_path, Limits(wall=1))
    assert (outcome.stopped, outcome.ok, said) == ("time", False, ["up"])


def test_a_command_that_heeds_sigterm_can_clean_up(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('bye').touch(), sys.exit(0)))\n"
        "time.sleep(60)"
    )
    outcome, _ = run(script, tmp_path, Limits(wall=1))
    assert outcome.stopped == "time"
    assert not outcome.ok
    assert (tmp_path / "bye").exists()


@pytest.mark.parametrize("own_session", [False, True])
def test_background_processes_are_ended_and_do_not_hold_up_the_run(tmp_path: Path, own_session: bool) -> None:
    script = (
        "import subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        f"p = subprocess.Popen(sleep, start_new_session={own_session})\n"
        "print(p.pid)"
    )
    outcome, _ = run(script, tmp_path)
    assert outcome.ok
    assert gone(int(outcome.output), "import time; time.sleep(60)")


def test_a_flood_of_output_is_stopped_and_bounded(tmp_path: Path) -> None:
    outcome, said = run("while True: print('x' * 1000)", tmp_path, Limits(wall=20, output=50_000))
    assert outcome.stopped == "output"
    assert 40_000 < len(outcome.output) <= 50_000
    assert len("\n".join(said)) == len(outcome.output)


def test_one_endless_line_does_not_grow_without_bound(tmp_path: Path) -> None:
    outcome, said = run("import sys\nwhile True: sys.stdout.write('x' * 1000)", tmp_path, Limits(wall=20, output=10**6))
    assert outcome.stopped == "output"
    assert max(len(line) for line in said) < 200_000


def test_cpu_time_ends_a_busy_loop(tmp_path: Path) -> None:
    outcome, _ = run("while True: pass", tmp_path, Limits(wall=30, cpu=1))
    assert outcome.stopped == "time"


def test_memory_and_file_size_are_bounded(tmp_path: Path) -> None:
    script = (
        "try:\n x = bytearray(2 * 10**9)\nexcept MemoryError:\n print('no memory')\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n open('big', 'wb', buffering=0).write(b'x' * 10**6 * 3) and open('big', 'ab', buffering=0).write(b'x')\n"
        "except OSError:\n print('no room')\n"
    )
    outcome, said = run(script, tmp_path, Limits(wall=20, memory=500 * 2**20, file_size=2**20))
    assert outcome.ok
    assert said == ["no memory", "no room"]
    assert (tmp_path / "big").stat().st_size <= 2**20


@pytest.mark.parametrize(("size", "stopped"), [(3 * 10**6, "disk"), (10**5, None)])
def test_a_program_that_failed_at_the_size_of_a_file_passed_a_limit(
    tmp_path: Path, size: int, stopped: str | None
) -> None:
    script = (
        f"import sys\nfile = open('big', 'wb', buffering=0)\n"
        f"try:\n file.write(bytes({size}))\n file.write(bytes({size}))\nexcept OSError:\n pass\nsys.exit(1)\n"
    )
    assert run(script, tmp_path, Limits(wall=20, file_size=2**20))[0].stopped == stopped


def test_a_large_file_from_before_is_no_fault_of_a_program_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_lambda.processes.disk._SLACK", -60)
    with (tmp_path / "big").open("wb") as file:
        file.truncate(2**21)
    assert run("import sys; sys.exit(1)", tmp_path, Limits(wall=20, file_size=2**20))[0].stopped is None


def test_stdin_is_empty(tmp_path: Path) -> None:
    assert run("import sys; print(repr(sys.stdin.read()))", tmp_path)[1] == ["''"]


def test_two_runs_at_once_do_not_end_each_other(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    slow = threading.Thread(
        target=lambda: outcomes.append(run("import time; time.sleep(1); print('done')", tmp_path)[0])
    )
    slow.start()
    for _ in range(3):
        assert run("pass", tmp_path)[0].ok
    slow.join()
    assert outcomes[0].output == "done"


def test_a_program_that_is_not_there_is_an_outcome(tmp_path: Path) -> None:
    outcome = PlainSandbox().run(Command(("no-such-program",), tmp_path), lambda _: None)
    assert not outcome.ok
    assert "no-such-program" in outcome.output


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\x07 back\x08space nul\x00", "bell backspace nul"),
        ("\u202eevil\u202c", "evil"),
        ("tab\tstays é 漢", "tab\tstays é 漢"),
        ("\x9b31mc1", "31mc1"),
    ],
)
def test_escapes_and_controls_are_removed(raw: str, clean: str) -> None:
    assert printable(raw) == clean


@given(st.text())
def test_nothing_unprintable_survives(text: str) -> None:
    clean = printable(text)
    assert not any(ord(c) < 32 and c != "\t" for c in clean)
    assert not set(clean) & set("\x7f\x9b\u2028\u202e\u2066")


def test_carriage_returns_and_bad_utf8_make_clean_lines(tmp_path: Path) -> None:
    script = r"import os; os.write(1, b'10%\r100%\r\n\xff\xc3'); os.write(1, b'\xa9\nend')"
    assert run(script, tmp_path)[1] == ["10%", "100%", "\ufffdé", "end"]


def test_a_result_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "r").write_text('{"a": [1]}')
    assert read_json(tmp_path / "r") == {"a": [1]}


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _hard_link(path: Path) -> None:
    (path.parent / "other").write_text("{}")
    path.hardlink_to(path.parent / "other")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


@pytest.mark.parametrize(
    "make",
    [
        _fifo,
        _link,
        _hard_link,
        _sparse,
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[" * 200_000),
    ],
)
def test_anything_but_a_small_plain_json_file_is_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "r")  # type: ignore[operator]
    with pytest.raises(ValueError, match="result"):
        read_json(tmp_path / "r")


def test_remove_tree_does_not_follow_links(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").touch()
    keep.chmod(0o750)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(keep)
    remove_tree(tree)
    assert not tree.exists()
    assert (keep / "file").exists()
    assert keep.stat().st_mode & 0o777 == 0o750


SECRET = "correct-horse-battery-staple"
CHUNKS = """
import os, sys, time
for part in {parts!r}:
    sys.stdout.write(part)
    sys.stdout.flush()
    time.sleep(0.02)
"""


@pytest.mark.parametrize(
    "parts",
    [
        [SECRET],
        ["a ", SECRET[:5], SECRET[5:], " b"],
        list(SECRET),
        ["x" * (16 * 1024 - 10) + SECRET + "y" * 5000],  # where a long line is cut
        ["x" * (16 * 1024 - 3) + SECRET[:3], SECRET[3:] + "y" * 20_000],
        ["x" * 16 * 1024 + SECRET[:-1], SECRET[-1] + "\n"],
        [f"\x1b[1m{SECRET[:4]}\x1b[0m{SECRET[4:]}"],
    ],
    ids=["whole", "halves", "letters", "long", "long halves", "late", "coloured"],
)
def test_a_secret_is_hidden_however_it_is_printed(tmp_path: Path, parts: list[str]) -> None:
    said: list[str] = []
    command = Command((sys.executable, "-I", "-c", CHUNKS.format(parts=parts)), tmp_path, writable=(tmp_path,))
    outcome = PlainSandbox(redact=Redactor([SECRET])).run(command, said.append)
    assert outcome.ok
    for shown in ("".join(said), outcome.output.replace("\n", "")):
        assert SECRET not in shown
        assert HIDDEN in shown


def test_a_private_key_that_a_build_prints_is_hidden_whole(tmp_path: Path) -> None:
    body = "MIIEpAIBAAKCAQEA" * 4
    script = (
        f"print('-----BEGIN PRIVATE KEY-----'); [print({body!r}) for _ in range(9)]; print('-----END PRIVATE KEY-----')"
    )
    outcome, said = run(script, tmp_path)
    assert body not in outcome.output
    assert not any("MIIE" in line for line in said)
