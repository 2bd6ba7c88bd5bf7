"""``auto-lambda simulate``: of a fleet, which is meant if nothing else is said, and of an app that flexes."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from auto_lambda_cli.commands.simulate.fleet import simulate
from auto_lambda_cli.commands.simulate.flex import simulate_flex
from auto_lambda_cli.extras import needs


class FleetByDefault(TyperGroup):
    """Takes `simulate burst` for `simulate fleet burst`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name before arguments that do not begin with one."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["fleet", *args])


app = typer.Typer(
    cls=FleetByDefault, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)
app.command("fleet")(needs("simulate")(simulate))
app.command("flex")(simulate_flex)
