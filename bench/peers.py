"""Compare Auto-Lambda with its peers on three sets of dependencies. See `make bench`; `--quick` is a short run.

cold: nothing is cached (the tools themselves are installed). seen: the same dependencies were built before, for another
app; peers keep the cache of their installer. code: one line of the app has changed, and a tool has its caches of the
previous run.

Auto-Lambda is measured until the app is live and has answered on the embedded AWS; the peers only until their package
is finished; the ratio compares these. `packaged` is Auto-Lambda without deploying and verifying: the package is
finished and proven. zappa's times include creating the virtual environment that it packages, except for code. Peak
memory is that of all processes together, measured ten times a second: for Auto-Lambda the worker with its builds,
without the embedded AWS.

Two lines are not tools but lower bounds: `only installing` is uv installing the dependencies into a folder, with
nothing locked, checked, compiled or zipped; `only answering` is the app's first request on the embedded AWS.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from drop_to_live import Bench, fresh_stack

from auto_lambda import tools

MINOR = "3.12"
BUILDERS = "aws-lambda-builders==1.68.0"
KINDS = ("cold", "seen", "code")
LIVE, PACKAGED = "auto-lambda, live", "auto-lambda, packaged"
INSTALLING, ANSWERING = "only installing", "only answering"
_CHALICE = (
    'from chalice import Chalice\n\napp = Chalice(app_name="bench")\n\n\n@app.route("/")\ndef index():\n    return {}\n'
)
_FLASK = 'from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get("/")\ndef index():\n    return "ok"\n'
_BUILD = """
import sys
from aws_lambda_builders.builder import LambdaBuilder
source, out, scratch = sys.argv[1:]
LambdaBuilder("python", "pip", None).build(
    source, out, scratch, source + "/requirements.txt", runtime="python3.12", architecture="x86_64",
    executable_search_paths=[%r],
)
"""
_AWS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip


@dataclass(frozen=True)
class Dependencies:
    """A set of dependencies, and the framework of the app for Auto-Lambda and chalice."""

    name: str
    requirements: tuple[str, ...]
    framework: str


SETS = (
    Dependencies("small", ("chalice", "requests"), "chalice"),
    Dependencies("large", ("flask", "zappa", "pillow", "numpy", "pandas"), "zappa"),
    Dependencies("sdists", ("docopt==0.6.2", "sgmllib3k==1.0.0", "placebo==0.9.0", "crcmod==1.7"), "chalice"),
)


@dataclass(frozen=True)
class Figure:
    """One measurement, in seconds and MB."""

    tool: str
    dependencies: str
    kind: str
    seconds: float
    peak_mb: float


def write_app(tree: Path, dependencies: Dependencies, framework: str) -> None:
    tree.mkdir(parents=True)
    (tree / "requirements.txt").write_text("\n".join(dependencies.requirements) + "\n")
    (tree / "auto-lambda.toml").write_text(f'python = "{MINOR}"\n')
    (tree / "app.py").write_text(_CHALICE if framework == "chalice" else _FLASK)
    if framework == "chalice":
        (tree / ".chalice").mkdir()
        config = {"version": "2.0", "app_name": "bench", "stages": {"dev": {"api_gateway_stage": "api"}}}
        (tree / ".chalice" / "config.json").write_text(json.dumps(config))
    else:
        stage = {"app_function": "app.app", "aws_region": "us-east-1", "project_name": "bench", "s3_bucket": "bench-x",
                 "runtime": f"python{MINOR}"}  # fmt: skip
        (tree / "zappa_settings.json").write_text(json.dumps({"dev": stage}))


def change(tree: Path) -> str:
    """Let an app of `write_app` answer with another word; return the word."""
    word, app = f"changed-{time.monotonic_ns()}", tree / "app.py"
    app.write_text(re.sub("return .*", f'return "{word}"', app.read_text()))
    return word


class Peak:
    """The peak memory of a process and all its descendants together, in MB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.mb = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.mb = max(self.mb, _tree_mb(self._pid))


def _tree_mb(root: int) -> float:
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)], pages[int(entry.name)] = int(fields[1]), int(fields[21])
    inside = {root}
    for _ in range(20):
        more = {pid for pid, parent in parents.items() if parent in inside} - inside
        if not more:
            break
        inside |= more
    return sum(pages.get(pid, 0) for pid in inside) * os.sysconf("SC_PAGE_SIZE") / 1e6


def timed(commands: Sequence[Sequence[str]], cwd: Path, env: Mapping[str, str]) -> tuple[float, float]:
    """Run commands in sequence, and return seconds and peak MB. A failed one ends the program with its output."""
    began, peak = time.monotonic(), 0.0
    for command in commands:
        with (cwd.parent / "output.log").open("w+b") as log:
            process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=subprocess.STDOUT)
            with Peak(process.pid) as watch:
                code = process.wait(1800)
            peak = max(peak, watch.mb)
            if code:
                log.seek(0)
                raise SystemExit(f"{' '.join(command)}:\n{log.read().decode(errors='replace')[-3000:]}")
    return time.monotonic() - began, peak


Commands = Callable[[Path, str], list[list[str]]]
"""Returns the commands that a person would type, for a project and a kind of run."""


def _chalice(python: Path) -> Commands:
    return lambda project, _: [[str(python.parent / "chalice"), "package", str(project.parent / "out")]]


def _zappa(make: Callable[[Path, Path], list[list[str]]]) -> Commands:
    def commands(project: Path, kind: str) -> list[list[str]]:
        venv = project.parent / "venv"
        package = [str(venv / "bin" / "zappa"), "package", "dev", "-o", str(project.parent / "out.zip")]
        return [package] if kind == "code" else [*make(venv, project / "requirements.txt"), package]

    return commands


def _uv_venv(venv: Path, requirements: Path) -> list[list[str]]:
    uv, python = tools.uv_executable(), str(tools.interpreters()[MINOR])
    install = [
        uv,
        "pip",
        "install",
        "--python",
        str(venv / "bin" / "python"),
        "-r",
        str(requirements),
        "flask",
        "zappa",
    ]
    return [[uv, "venv", "--clear", "--python", python, str(venv)], install]


def _pip_venv(venv: Path, requirements: Path) -> list[list[str]]:
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    return [
        [str(tools.interpreters()[MINOR]), "-m", "venv", "--clear", str(venv)],
        [*pip, "-r", str(requirements), "flask", "zappa"],
    ]


def _installing(project: Path, kind: str) -> list[list[str]]:
    out = project.parent / f"out-{kind}"
    install = [tools.uv_executable(), "pip", "install", "--quiet", "--python", str(tools.interpreters()[MINOR])]
    return [[*install, "--target", str(out), "--requirement", str(project / "requirements.txt")]]


def _builders(folder: Path) -> Commands:
    uv, venv = tools.uv_executable(), folder / "builders"
    python = tools.interpreters()[MINOR]
    subprocess.run([uv, "venv", "--quiet", "--seed", "--python", str(python), str(venv)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), BUILDERS], check=True)
    script = folder / "build.py"
    script.write_text(_BUILD % str(venv / "bin"))

    def commands(project: Path, _: str) -> list[list[str]]:
        scratch = Path(tempfile.mkdtemp(dir=project.parent))
        out = project.parent / "out"
        shutil.rmtree(out, ignore_errors=True)
        return [[str(venv / "bin" / "python"), str(script), str(project), str(out), str(scratch)]]

    return commands


def peers(folder: Path) -> dict[str, tuple[str, Commands]]:
    """Peers by name, with the framework of their app and their commands."""
    compiler = tools.ToolEnvironments().python("compiler", MINOR)
    return {
        "chalice package": ("chalice", _chalice(compiler)),
        "zappa package, uv venv": ("zappa", _zappa(_uv_venv)),
        "zappa package, pip venv": ("zappa", _zappa(_pip_venv)),
        "aws-lambda-builders": ("chalice", _builders(folder)),
        INSTALLING: ("chalice", _installing),
    }


def measure_peer(name: str, framework: str, commands: Commands, dependencies: Dependencies) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="auto-lambda-bench-") as folder:
        env = {**os.environ, **_AWS, "PIP_CACHE_DIR": f"{folder}/pip", "UV_CACHE_DIR": f"{folder}/uv"}
        project = Path(folder, "cold", "app")
        for kind in KINDS:
            if kind == "code":
                change(project)
            else:
                project = Path(folder, kind, "app")
                write_app(project, dependencies, framework)
            path = f"{project.parent / 'venv' / 'bin'}:{env['PATH']}"
            run = {**env, "VIRTUAL_ENV": str(project.parent / "venv"), "PATH": path}
            if framework == "chalice":
                run = env
            seconds, peak = timed(commands(project, kind), project, run)
            yield Figure(name, dependencies.name, kind, seconds, peak)


def measure_ours(dependencies: Dependencies) -> Iterator[Figure]:
    with fresh_stack() as stack, tempfile.TemporaryDirectory() as folder:
        bench = Bench(stack)
        tree = Path(folder, "app")
        write_app(tree, dependencies, dependencies.framework)
        worker = stack.children[0].pid
        assert worker is not None
        for kind, name in (("cold", "first"), ("seen", "second"), ("code", "first")):
            if kind == "code":
                change(tree)
            with Peak(worker) as peak:
                run = bench.drop_tree(tree, dependencies.name, kind, name)
            deploying = sum(run.steps.get(step, 0.0) for step in ("deploy", "verify"))
            yield Figure(LIVE, dependencies.name, kind, run.total, peak.mb)
            yield Figure(PACKAGED, dependencies.name, kind, run.total - deploying, peak.mb)
            yield Figure(ANSWERING, dependencies.name, kind, run.steps["verify"], 0)


@contextmanager
def _workshop() -> Iterator[dict[str, tuple[str, Commands]]]:
    with tempfile.TemporaryDirectory(prefix="auto-lambda-peers-") as folder:
        yield peers(Path(folder))


def measure(sets: Sequence[Dependencies], names: Sequence[str], rounds: int) -> Iterator[Figure]:
    with _workshop() as others:
        for _ in range(rounds):
            for dependencies in sets:
                if not names or "auto-lambda" in names:
                    yield from measure_ours(dependencies)
                for name, (framework, commands) in others.items():
                    if not names or name in names:
                        yield from measure_peer(name, framework, commands, dependencies)


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Print a line per set, kind and tool, the fastest first: seconds, and the ratio to Auto-Lambda."""
    yield f"{'set':<8} {'kind':<5} {'tool':<26} {'seconds':>8} {'ratio':>6} {'peak MB':>8}"
    for group in dict.fromkeys((one.dependencies, one.kind) for one in figures):
        same = [one for one in figures if (one.dependencies, one.kind) == group]
        medians = {tool: _median(same, tool) for tool in dict.fromkeys(one.tool for one in same)}
        ours = next((seconds for tool, (seconds, _) in medians.items() if tool == LIVE), None)
        for tool, (seconds, peak) in sorted(medians.items(), key=lambda item: item[1]):
            ratio = f"{seconds / ours:.1f}x" if ours else ""
            yield f"{group[0]:<8} {group[1]:<5} {tool:<26} {seconds:>8.2f} {ratio:>6} {peak:>8.0f}"


def _median(figures: Sequence[Figure], tool: str) -> tuple[float, float]:
    mine = [one for one in figures if one.tool == tool]
    return statistics.median(one.seconds for one in mine), statistics.median(one.peak_mb for one in mine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="the medians are shown")
    parser.add_argument("--sets", nargs="*", default=[one.name for one in SETS], help="small, large, sdists")
    parser.add_argument("--tools", nargs="*", default=[], help="auto-lambda and names of peers; by default all")
    parser.add_argument("--quick", action="store_true", help="one round of the small set")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to this file")
    options = parser.parse_args()
    wanted = ["small"] if options.quick else options.sets
    sets = [one for one in SETS if one.name in wanted]
    rounds = 1 if options.quick else options.rounds
    figures: list[Figure] = []
    for figure in measure(sets, options.tools, rounds):
        print(f"{figure.dependencies} {figure.kind} {figure.tool}: {figure.seconds:.2f} s", file=sys.stderr, flush=True)
        figures.append(figure)
    print("\n".join(table(figures)))
    load = os.getloadavg()
    print(f"{os.cpu_count()} processors, load {load[0]:.1f} at the end; medians of {rounds}")
    if options.json:
        options.json.write_text(json.dumps({"figures": [asdict(one) for one in figures], "load": load}, indent=2))


if __name__ == "__main__":
    main()
