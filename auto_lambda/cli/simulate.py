"""``auto-lambda simulate``."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from auto_lambda.cli.exits import Exit, leave

if TYPE_CHECKING:
    from checker.simulator.durations import Durations
    from checker.simulator.model import Drop
    from checker.simulator.report import Row

FLEET, OURS = "The fleet", "Our policy"
P = TypeVar("P")


def simulate(
    load: Annotated[
        str,
        typer.Argument(
            metavar="LOAD",
            help="`steady`, `burst`, `diurnal` or `release`; or a file of drops: CSV, JSON list or JSON lines with "
            "`dropped` and, where known, `build_seconds`.",
        ),
    ] = "diurnal",
    builds: Annotated[
        str | None,
        typer.Option(
            metavar="DIST|FILE",
            help="Build times: `lognormal:MEDIAN,P95`, `exponential:MEAN`, `fixed:S`, all in seconds; or a file with "
            "`build_seconds` to draw from. By default lognormal:40,120, or what the file of drops says.",
            show_default=False,
        ),
    ] = None,
    drops: Annotated[int | None, typer.Option(help="How many drops, for a made load.", min=0, max=1_000_000)] = None,
    hours: Annotated[float | None, typer.Option(help="Within how many hours, for a made load.", min=0.01)] = None,
    seed: Annotated[int, typer.Option(help="Another number, another day.")] = 1,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this policy; may be repeated.", show_default=False)
    ] = None,
    boot: Annotated[
        float, typer.Option(help="Seconds from ordering a machine to its first message.", min=1, rich_help_panel=FLEET)
    ] = 60,
    slots: Annotated[int, typer.Option(help="Builds at a time on a machine.", min=1, rich_help_panel=FLEET)] = 1,
    smallest: Annotated[int, typer.Option("--min", help="Fewest machines.", min=0, rich_help_panel=FLEET)] = 0,
    largest: Annotated[int, typer.Option("--max", help="Most machines.", min=1, rich_help_panel=FLEET)] = 50,
    price: Annotated[float, typer.Option(help="Dollars for a machine-hour.", min=0, rich_help_panel=FLEET)] = 0.085,
    target: Annotated[
        float, typer.Option(help="Seconds of work for each worker, the target.", min=1, rich_help_panel=OURS)
    ] = 60,
    warmup: Annotated[float, typer.Option(help="Seconds of instance warm-up.", min=0, rich_help_panel=OURS)] = 30,
    idle: Annotated[
        float, typer.Option(help="Seconds after which an idle machine ends itself.", min=1, rich_help_panel=OURS)
    ] = 5,
    sample: Annotated[float, typer.Option(help="Seconds between samples.", min=1, rich_help_panel=OURS)] = 5,
    period: Annotated[float, typer.Option(help="Seconds of a metric period.", min=10, rich_help_panel=OURS)] = 10,
    delay: Annotated[
        float, typer.Option(help="Seconds until an alarm can see a sample.", min=0, rich_help_panel=OURS)
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw queue, workers and waits to this .png, .svg or .html.", show_default=False)
    ] = None,
    window: Annotated[
        tuple[float, float] | None, typer.Option(metavar="FROM TO", help="Plot these hours only.", show_default=False)
    ] = None,
) -> None:
    """Show how long drops would wait, and what the fleet would cost, under one scaling policy or another.

    `clairvoyant` boots ahead of drops that it knows beforehand: no policy has shorter waits. `prompt` knows a drop the
    instant it falls: what a policy that reacts can hope for. `ours` is the template's, `direct` sets the desired count
    as buildkite's scaler does, `one-minute` and `five-minute` are target tracking on slower metrics.

    For example:

    - `auto-lambda simulate burst`
    - `auto-lambda simulate diurnal --policy ours --policy prompt --idle 60 --json`
    - `auto-lambda simulate drops.csv --boot 45 --plot week.html`
    """
    from checker.simulator.compare import compare, known
    from checker.simulator.model import Fleet
    from checker.simulator.policies import ours
    from checker.simulator.report import row

    if smallest > largest:
        raise leave(Exit.USAGE, f"--min {smallest} is more than --max {largest}")
    fleet = Fleet(boot=boot, slots=slots, smallest=smallest, largest=largest, price=price)
    tuned = ours(target=target, warmup=warmup, idle=idle, period=period, sample=sample, delay=delay)
    chosen = _choose(known(tuned), policy)
    draw = _plotter(plot)
    fallen = _drops(load, builds, drops, hours, seed)
    outcomes = compare(fallen, fleet, chosen.items(), seed)
    rows = [row(outcome, fleet) for outcome in outcomes]
    if as_json:
        typer.echo(json.dumps({"load": load, "seed": seed, "policies": [one.as_dict() for one in rows]}, indent=2))
    else:
        _print(load, rows)
    if draw:
        draw(outcomes, f"{load}: {len(fallen)} drops", window)


def _choose(known: Mapping[str, P], names: Sequence[str] | None) -> dict[str, P]:
    for name in names or ():
        if name not in known:
            raise leave(Exit.USAGE, f"there is no policy {name!r}; there are: {', '.join(known)}")
    return {name: policy for name, policy in known.items() if not names or name in names}


def _drops(load: str, builds: str | None, drops: int | None, hours: float | None, seed: int) -> list[Drop]:
    from checker.simulator.arrivals import SHAPES, make
    from checker.simulator.history import BadHistory, FileHistory, replay

    durations = _durations(builds)
    if load in SHAPES:
        return make(SHAPES[load], durations, seed, drops, hours)
    path = Path(load)
    if not path.is_file():
        raise leave(Exit.USAGE, f"{load!r} is neither a file nor one of the made loads: {', '.join(SHAPES)}")
    if drops is not None or hours is not None:
        raise leave(Exit.USAGE, "--drops and --hours are for made loads; a file says itself what fell when")
    rng = random.Random(seed)  # noqa: S311 - a simulation
    try:
        return replay(FileHistory(path), iter(lambda: durations(rng), None))
    except BadHistory as error:
        raise leave(Exit.USAGE, str(error)) from None


def _durations(builds: str | None) -> Durations:
    from checker.simulator.durations import BadDistribution, drawn_from, parse
    from checker.simulator.history import BadHistory, FileHistory, build_seconds

    text = builds or "lognormal:40,120"
    try:
        if not Path(text).is_file():
            return parse(text)
        if seconds := build_seconds(FileHistory(Path(text))):
            return drawn_from(seconds)
    except (BadDistribution, BadHistory) as error:
        raise leave(Exit.USAGE, str(error)) from None
    raise leave(Exit.USAGE, f"{text} has no build_seconds in it")


def _plotter(path: Path | None) -> Callable[..., None] | None:
    """What draws to ``path``; asked for before the run, so that nobody waits for nothing."""
    if path is None:
        return None
    from checker.simulator.plot import FORMATS, plot

    if find_spec("matplotlib") is None:
        raise leave(Exit.USAGE, "--plot needs matplotlib: install auto-lambda[plot]")
    if path.suffix not in FORMATS or not path.parent.is_dir():
        raise leave(Exit.USAGE, f"--plot takes a {', '.join(FORMATS)} file in a folder that is there, not {path}")
    return lambda outcomes, title, window: plot(outcomes, title, path, window)


def _print(load: str, rows: Sequence[Row]) -> None:
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
        if row.unfinished:
            console.print(f"{row.policy}: {row.unfinished} drops were not done a day after the last one fell")


def _cells(row: Row) -> list[str]:
    waits = [f"{wait:.0f} s" if wait is not None else "-" for wait in (row.wait_p50, row.wait_p95, row.wait_p99)]
    busy = f"{row.busy:.0%}" if row.busy is not None else "-"
    return [*waits, str(row.most_machines), f"{row.machine_hours:.1f}", f"${row.cost:.2f}", busy, str(row.stopped_busy)]
