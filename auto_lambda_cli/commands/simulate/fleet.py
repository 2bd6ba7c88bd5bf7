"""``auto-lambda simulate``."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say
from auto_lambda_cli.options import AsJson, Bucket, Local

if TYPE_CHECKING:
    from checker.simulator.durations import Durations
    from checker.simulator.history import History
    from checker.simulator.model import Arrival, Fleet
    from checker.simulator.policies import Policy
    from checker.simulator.report import ReportRow

FLEET, OURS, WHAT = "The fleet", "Our policy", "From a ledger"
LOAD, BUILDS, DAYS = "diurnal", "lognormal:40,120", 7.0
P = TypeVar("P")

Load = Annotated[
    str | None,
    typer.Argument(
        metavar="LOAD",
        help="`steady`, `burst`, `diurnal` or `release`; or a file of drops: CSV, JSON list or JSON lines with "
        f"`dropped` and, where known, `build_seconds`. By default {LOAD}, or the ledger's.",
        show_default=False,
    ),
]
Builds = Annotated[
    str | None,
    typer.Option(
        metavar="DIST|FILE",
        help="Build times: `lognormal:MEDIAN,P95`, `exponential:MEAN`, `fixed:S`, all in seconds; or a file with "
        f"`build_seconds` to draw from. By default {BUILDS}, or what the file of drops or the ledger says.",
        show_default=False,
    ),
]
DropCount = Annotated[int | None, typer.Option(help="The number of drops of a generated load.", min=0, max=1_000_000)]
Hours = Annotated[float | None, typer.Option(help="The hours over which a generated load is spread.", min=0.01)]
FromLedger = Annotated[
    bool,
    typer.Option(
        help="Use a pipeline's uploads and build times; with a LOAD, only the build times.",
        rich_help_panel=WHAT,
    ),
]
Days = Annotated[float, typer.Option(help="How many days back.", min=0.01, max=90, rich_help_panel=WHAT)]
Only = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only this policy; repeatable.", show_default=False)
]
Boot = Annotated[
    float,
    typer.Option(help="Seconds from the launch of an instance to its first message.", min=1, rich_help_panel=FLEET),
]
Slots = Annotated[int, typer.Option(help="Concurrent builds on an instance.", min=1, rich_help_panel=FLEET)]
Smallest = Annotated[int, typer.Option("--min", help="Minimum number of instances.", min=0, rich_help_panel=FLEET)]
Largest = Annotated[int, typer.Option("--max", help="Maximum number of instances.", min=1, rich_help_panel=FLEET)]
Price = Annotated[float, typer.Option(help="Dollars per instance-hour.", min=0, rich_help_panel=FLEET)]
NewApis = Annotated[
    float, typer.Option(help="Share of the drops that make a new REST API.", min=0, max=1, rich_help_panel=FLEET)
]
ApiSeconds = Annotated[
    float,
    typer.Option(
        help="Seconds between two REST APIs that the account may make: 5, edge-optimized ones 30.",
        min=0,
        rich_help_panel=FLEET,
    ),
]
Aim = Annotated[float, typer.Option(help="The target: seconds of work per worker.", min=1, rich_help_panel=OURS)]
Warmup = Annotated[float, typer.Option(help="Seconds of instance warm-up.", min=0, rich_help_panel=OURS)]
Idle = Annotated[
    float, typer.Option(help="Seconds after which an idle instance terminates itself.", min=1, rich_help_panel=OURS)
]
SampleEvery = Annotated[float, typer.Option(help="Seconds between samples.", min=1, rich_help_panel=OURS)]
Period = Annotated[float, typer.Option(help="Seconds of a metric period.", min=10, rich_help_panel=OURS)]
Delay = Annotated[float, typer.Option(help="Seconds until an alarm sees a sample.", min=0, rich_help_panel=OURS)]
Plot = Annotated[
    Path | None,
    typer.Option(help="Plot queue, workers and wait times to this .png, .svg or .html.", show_default=False),
]
Window = Annotated[
    tuple[float, float] | None, typer.Option(metavar="FROM TO", help="Plot only these hours.", show_default=False)
]


def simulate(
    load: Load = None,
    builds: Builds = None,
    drops: DropCount = None,
    hours: Hours = None,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 1,
    policy: Only = None,
    from_ledger: FromLedger = False,
    days: Days = DAYS,
    boot: Boot = 60,
    slots: Slots = 1,
    smallest: Smallest = 0,
    largest: Largest = 50,
    price: Price = 0.085,
    new_apis: NewApis = 0,
    api_seconds: ApiSeconds = 5,
    target: Aim = 60,
    warmup: Warmup = 30,
    idle: Idle = 5,
    sample: SampleEvery = 5,
    period: Period = 10,
    delay: Delay = 3,
    as_json: AsJson = False,
    plot: Plot = None,
    window: Window = None,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Show how long drops would wait, and what the fleet would cost, under one scaling policy or another.

    `clairvoyant` knows every drop in advance and boots ahead: no policy has shorter waits. `prompt` knows a drop the
    moment it arrives: the best that a reactive policy can do. `ours` is the template's, `direct` sets the desired
    capacity as Buildkite's scaler does, `one-minute` and `five-minute` are target tracking on slower metrics.

    For example:

    - `auto-lambda simulate burst`
    - `auto-lambda simulate diurnal --policy ours --policy prompt --idle 60 --json`
    - `auto-lambda simulate drops.csv --boot 45 --plot week.html`
    - `auto-lambda simulate --from-ledger --days 30`
    """
    from checker.simulator.model import Fleet
    from checker.simulator.policies import ours

    if smallest > largest:
        raise leave(Exit.USAGE, f"--min {smallest} is more than --max {largest}")
    fleet = Fleet(boot=boot, slots=slots, smallest=smallest, largest=largest, price=price, api_seconds=api_seconds)
    tuned = ours(target=target, warmup=warmup, idle=idle, period=period, sample=sample, delay=delay)
    draw = _plotter(plot)
    ledger = _ledger(days, local=local, bucket=bucket) if from_ledger else None
    fallen = _some_new(_drops(load, builds, drops, hours, seed, ledger), new_apis, seed)
    title = load or ("ledger" if ledger else LOAD)
    _run(title, fallen, fleet, tuned, policy, seed, as_json=as_json, draw=draw, window=window)


def _run(
    title: str,
    fallen: Sequence[Arrival],
    fleet: Fleet,
    tuned: Policy,
    names: Sequence[str] | None,
    seed: int,
    *,
    as_json: bool,
    draw: Callable[..., None] | None,
    window: tuple[float, float] | None,
) -> None:
    from checker.simulator.compare import compare, known
    from checker.simulator.report import row

    outcomes = compare(fallen, fleet, _choose(known(tuned), names).items(), seed)
    rows = [row(outcome, fleet) for outcome in outcomes]
    if as_json:
        say(json.dumps({"load": title, "seed": seed, "policies": [one.as_dict() for one in rows]}, indent=2))
    else:
        _print(title, rows)
    if draw:
        draw(outcomes, f"{title}: {len(fallen)} drops", window)


def _ledger(days: float, *, local: bool, bucket: str | None) -> History:
    """Load the chosen pipeline's attempts of the last so many days into memory."""
    from auto_lambda.aws.session import client, make_session
    from auto_lambda.recent_attempts import LedgerUnusable, RecentAttempts
    from auto_lambda_cli.target import choose, setting
    from checker.simulator.history import LedgerHistory

    target = choose(local=local, bucket=bucket)
    try:
        with plain_errors():
            attempts = RecentAttempts(client(make_session(), "dynamodb"), setting("AUTO_LAMBDA_TABLE"))
            found = list(attempts.since(datetime.now(UTC) - timedelta(days=days)))
    except LedgerUnusable as error:
        raise leave(Exit.USAGE, str(error)) from None
    if not found:
        raise leave(Exit.USAGE, f"nothing was uploaded to {target} in the last {days:g} days")
    return LedgerHistory(found)


def _choose(known: Mapping[str, P], names: Sequence[str] | None) -> dict[str, P]:
    for name in names or ():
        if name not in known:
            raise leave(Exit.USAGE, f"there is no policy {name!r}; there are: {', '.join(known)}")
    return {name: policy for name, policy in known.items() if not names or name in names}


def _drops(
    load: str | None, builds: str | None, drops: int | None, hours: float | None, seed: int, ledger: History | None
) -> list[Arrival]:
    from checker.simulator.arrivals import SHAPES, make

    made = None if load is None and ledger else load or LOAD
    durations = _durations(builds, ledger if made else None)
    if made in SHAPES:
        return make(SHAPES[made], durations, seed, drops, hours)
    if drops is not None or hours is not None:
        raise leave(Exit.USAGE, "--drops and --hours are for generated loads, not for recorded ones")
    return _replayed(ledger if ledger and not made else _file(made or LOAD, SHAPES), durations, seed)


def _some_new(drops: list[Arrival], share: float, seed: int) -> list[Arrival]:
    """Let a share of the drops be of new apps; a generator of its own leaves the loads as they are without."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    return [replace(drop, new_api=True) if share and rng.random() < share else drop for drop in drops]


def _replayed(recorded: History, durations: Durations, seed: int) -> list[Arrival]:
    from checker.simulator.history import BadHistory, replay

    rng = random.Random(seed)  # noqa: S311 - a simulation
    try:
        return replay(recorded, iter(lambda: durations(rng), None))
    except BadHistory as error:
        raise leave(Exit.USAGE, str(error)) from None


def _file(load: str, shapes: Iterable[str]) -> History:
    from checker.simulator.history import FileHistory

    if not Path(load).is_file():
        raise leave(Exit.USAGE, f"{load!r} is neither a file nor one of the generated loads: {', '.join(shapes)}")
    return FileHistory(Path(load))


def _durations(builds: str | None, ledger: History | None) -> Durations:
    """Return the build times of ``builds``, else of the ledger, else the default."""
    from checker.simulator.durations import BadDistribution, drawn_from, parse
    from checker.simulator.history import BadHistory, FileHistory, build_seconds

    text = builds or BUILDS
    try:
        if builds or not ledger:
            if not Path(text).is_file():
                return parse(text)
            ledger = FileHistory(Path(text))
        if seconds := build_seconds(ledger):
            return drawn_from(seconds)
    except (BadDistribution, BadHistory) as error:
        raise leave(Exit.USAGE, str(error)) from None
    raise leave(Exit.USAGE, f"{builds or 'the ledger'} contains no build_seconds")


def _plotter(path: Path | None) -> Callable[..., None] | None:
    """Return what plots to ``path``, before the run, so that errors come at once."""
    if path is None:
        return None
    from checker.simulator.plot import FORMATS, plot

    if find_spec("matplotlib") is None:
        raise leave(Exit.USAGE, "--plot needs matplotlib: install auto-lambda[plot]")
    if path.suffix not in FORMATS or not path.parent.is_dir():
        raise leave(Exit.USAGE, f"--plot takes a {', '.join(FORMATS)} file in an existing folder, not {path}")
    return lambda outcomes, title, window: plot(outcomes, title, path, window)


def _print(load: str, rows: Sequence[ReportRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=f"{load}: {rows[0].drops} drops", title_justify="left")
    table.add_column("policy")
    for heading in ("wait p50", "p95", "p99", "machines", "hours", "cost", "busy", "stopped busy"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.policy, *_cells(row))
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)
    for row in rows:
        if row.put_off:
            console.print(f"{row.policy}: AWS would make no API yet {row.put_off} times, so that drops had to wait")
        if row.unfinished:
            console.print(f"{row.policy}: {row.unfinished} drops were not done a day after the last one arrived")


def _cells(row: ReportRow) -> list[str]:
    waits = [f"{wait:.0f} s" if wait is not None else "-" for wait in (row.wait_p50, row.wait_p95, row.wait_p99)]
    busy = f"{row.busy:.0%}" if row.busy is not None else "-"
    return [*waits, str(row.most_machines), f"{row.machine_hours:.1f}", f"${row.cost:.2f}", busy, str(row.stopped_busy)]
