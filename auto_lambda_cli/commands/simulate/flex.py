"""``auto-lambda simulate flex``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from auto_lambda_cli.exits import Exit, leave, say
from auto_lambda_cli.options import AsJson

if TYPE_CHECKING:
    from checker.simulator.flex.model import Controller, FlexApp, FlexOutcome, Thresholds
    from checker.simulator.flex.report import FlexRow, Tried

THE_APP, SETTINGS = "The app", "[flex]"
_TRIED = (10, 20, 40, 80, 160, 320)

Demand = Annotated[
    str,
    typer.Argument(
        metavar="DEMAND",
        help="`office`, `launch`, `spikes` or `steady`; or a CSV file with `time` and `requests` since the row before.",
    ),
]
Peak = Annotated[float, typer.Option(help="Requests per second of a made demand at its peak.", min=0)]
Days = Annotated[float, typer.Option(help="Days of a made demand.", min=0.1, max=90)]
Seconds = Annotated[
    float, typer.Option(help="Seconds that a request takes without waiting.", min=0.001, rich_help_panel=THE_APP)
]
Busy = Annotated[float, typer.Option(help="CPU seconds of a request.", min=0.0001, rich_help_panel=THE_APP)]
Memory = Annotated[int, typer.Option(help="The function's memory in MB.", min=128, max=10240, rich_help_panel=THE_APP)]
Cold = Annotated[float, typer.Option(help="Seconds that a cold start adds.", min=0, rich_help_panel=THE_APP)]
Api = Annotated[Literal["http", "rest"], typer.Option(help="The API before the function.", rich_help_panel=THE_APP)]
Cpu = Annotated[int, typer.Option(help="CPU units of a task.", min=256, max=16384, rich_help_panel=SETTINGS)]
TaskMemory = Annotated[int, typer.Option(help="A task's memory in MB.", min=512, rich_help_panel=SETTINGS)]
Above = Annotated[float, typer.Option(help="Requests per second.", min=0, rich_help_panel=SETTINGS)]
Below = Annotated[float, typer.Option(help="Requests per second.", min=0, rich_help_panel=SETTINGS)]
UpAfter = Annotated[int, typer.Option(help="Minutes above.", min=1, rich_help_panel=SETTINGS)]
DownAfter = Annotated[int, typer.Option(help="Minutes below.", min=1, rich_help_panel=SETTINGS)]
MinTasks = Annotated[int, typer.Option(help="Tasks at least.", min=1, max=500, rich_help_panel=SETTINGS)]
MaxTasks = Annotated[int, typer.Option(help="Tasks at most.", min=1, max=500, rich_help_panel=SETTINGS)]
CoolDown = Annotated[int, typer.Option(help="Minutes after each move.", min=0, rich_help_panel=SETTINGS)]
Plot = Annotated[Path | None, typer.Option(help="Plot to this .png or .svg.", show_default=False)]


def simulate_flex(
    demand: Demand = "office",
    peak: Peak = 200,
    days: Days = 7,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 1,
    seconds: Seconds = 0.1,
    busy: Busy = 0.02,
    memory: Memory = 512,
    cold: Cold = 1.0,
    api: Api = "http",
    cpu: Cpu = 512,
    task_memory: TaskMemory = 1024,
    above: Above = 100,
    below: Below = 50,
    up_after: UpAfter = 3,
    down_after: DownAfter = 15,
    min_tasks: MinTasks = 2,
    max_tasks: MaxTasks = 50,
    cool_down: CoolDown = 10,
    search: Annotated[bool, typer.Option("--search", help="Try thresholds, and show those that cost least.")] = False,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Show what an app would cost, and how fast it would be, on Lambda, on Fargate, and where flex moves it.

    It decides with the flex controller's own code. Prices are those of us-east-1 in the month that is printed.

    For example:

    - `auto-lambda simulate flex office --peak 400 --above 150 --below 75`
    - `auto-lambda simulate flex requests.csv --memory 1024 --search`
    """
    from checker.simulator.flex.model import FlexApp, Thresholds
    from checker.simulator.flex.report import search as find
    from checker.simulator.flex.run import fargate_only, flex, lambda_only

    if below > 0.7 * above:
        raise leave(
            Exit.USAGE, f"--below {below:g} is more than 70 % of --above {above:g}: the app would move back and forth"
        )
    if min_tasks > max_tasks:
        raise leave(Exit.USAGE, f"--min-tasks {min_tasks} is more than --max-tasks {max_tasks}")
    _check_plot(plot)
    app = FlexApp(seconds, busy, memory, cold, api, cpu, task_memory)
    thresholds = Thresholds(above, below, up_after, down_after, min_tasks, max_tasks, cool_down=cool_down)
    decide, load = _controller(), _demand(demand, peak, days, seed)
    outcomes = [lambda_only(load, app), fargate_only(load, app, thresholds), flex(load, app, thresholds, decide)]
    tried = find(load, app, thresholds, decide, _TRIED) if search else []
    _show(demand, app, thresholds, outcomes, tried, as_json=as_json)
    if plot:
        from checker.simulator.flex.plot import plot_flex

        plot_flex(outcomes, f"{demand}: above {above:g}, below {below:g} requests per second", plot)


def _check_plot(plot: Path | None) -> None:
    from checker.simulator.flex.plot import FLEX_FORMATS

    if plot and find_spec("matplotlib") is None:
        raise leave(Exit.USAGE, "--plot needs matplotlib: install auto-lambda[plot]")
    if plot and (plot.suffix not in FLEX_FORMATS or not plot.parent.is_dir()):
        raise leave(Exit.USAGE, f"--plot takes a {', '.join(FLEX_FORMATS)} file in an existing folder, not {plot}")


def _controller() -> Controller:
    from auto_lambda_cli.flex_step import controller

    try:
        return controller()
    except ImportError:
        raise leave(Exit.USAGE, "this installation lacks apps/flex_controller, whose decisions are simulated") from None


def _demand(name: str, peak: float, days: float, seed: int) -> list[float]:
    from checker.simulator.flex.demand import SHAPES, BadDemand, made, recorded

    if name in SHAPES:
        return made(name, peak, days, seed)
    if not Path(name).is_file():
        raise leave(Exit.USAGE, f"{name!r} is neither a file nor one of the made demands: {', '.join(SHAPES)}")
    try:
        return recorded(Path(name))
    except BadDemand as error:
        raise leave(Exit.USAGE, str(error)) from None


def _show(
    name: str,
    app: FlexApp,
    thresholds: Thresholds,
    outcomes: Sequence[FlexOutcome],
    tried: Sequence[Tried],
    *,
    as_json: bool,
) -> None:
    from checker.simulator.flex.fronts import USE
    from checker.simulator.flex.prices import PRICES, break_even
    from checker.simulator.flex.report import flex_row

    rows = [flex_row(one) for one in outcomes]
    even = break_even(app, thresholds.min_tasks, USE)
    if as_json:
        found = [{**asdict(one.thresholds), **one.row.as_dict()} for one in tried]
        told = {"demand": name, "prices": PRICES["as_of"], "break_even": even if even < float("inf") else None}
        say(json.dumps({**told, "strategies": [one.as_dict() for one in rows], "search": found}, indent=2))
        return
    _print(f"{name}, prices of {PRICES['region']}, {PRICES['as_of']}", rows)
    say(f"\nFrom {even:.1f} requests per second on, without pause, {thresholds.min_tasks} tasks cost less than Lambda.")
    carried = thresholds.min_tasks * app.per_task
    if carried < thresholds.above:
        say(
            f"When traffic moves, {thresholds.min_tasks} tasks carry {carried:.0f} requests per second, and at least "
            f"{thresholds.above:g} come: raise min_tasks, or requests fail until more tasks have started."
        )
    if tried:
        say("\nThe thresholds that cost least:")
        for one in tried[:5]:
            limits = one.thresholds
            say(
                f"  above {limits.above:5g}, below {limits.below:5g}, min_tasks {limits.min_tasks:3}: "
                f"${one.row.month:,.0f} a month, p99 {one.row.p99:.2f} s, {one.row.moves} moves"
            )


def _print(title: str, rows: Sequence[FlexRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("strategy")
    for heading in ("$ a month", "p50", "p99", "failed", "on Fargate", "moves", "tasks at most"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.strategy, f"{row.month:,.0f}", f"{row.p50:.3f} s", f"{row.p99:.3f} s", f"{row.failed:,.0f}",
            f"{row.on_fargate:.0%}", str(row.moves), str(row.most_tasks),
        )  # fmt: skip
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)
