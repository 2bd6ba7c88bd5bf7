import subprocess
import sys
import textwrap


def test_every_descendant_is_ended_however_deep_and_however_it_hid() -> None:
    """In a process of its own: the test runner has children that must live."""
    script = textwrap.dedent("""
        import subprocess, sys
        from auto_lambda.daemon.descendants import end_descendants
        sleeper = "import time; time.sleep(60)"
        nested = (
            f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}]);"
            f"print(1, flush=True); {sleeper}"
        )
        child = subprocess.Popen([sys.executable, "-c", nested], stdout=subprocess.PIPE, start_new_session=True)
        child.stdout.readline()
        print(end_descendants(), child.wait(), end_descendants())
    """)  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["2", "-9", "0"]
