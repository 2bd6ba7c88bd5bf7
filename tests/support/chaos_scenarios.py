"""What is done to an app while a call of the worker is spoilt."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from e2e_stack import make_zip, saying, small_zappa
from faulty_aws import Call

_FLEXES = "[flex]\nabove = 200\nbelow = 100\n"
_TOML = {
    "zappa flexing": _FLEXES,
    "zappa removing": _FLEXES,
    "zappa shifting": '[traffic]\ncanary = {percent = 50, interval = "5s"}\n',
    # Long enough for an order to come in between, short enough for its message to come back.
    "zappa promoting": '[traffic]\ncanary = {percent = 50, interval = "60s"}\n',
    "zappa aborting": '[traffic]\ncanary = {percent = 50, interval = "60s"}\n',
    "zappa release command": '[release]\ncall = "app.prepare"\n',
}
_PREPARE = '\n\ndef prepare():\n    print("prepared")\n'


class Scenario(StrEnum):
    """Which app is dropped, and whether it is there already; or what else is done to it. What is newest comes first."""

    SHIFTING = "zappa shifting"
    """An update whose traffic shifts gradually."""
    PROMOTING = "zappa promoting"
    """The order to lead all traffic to a release whose traffic shifts."""
    ABORTING = "zappa aborting"
    """The order to lead no traffic to a release whose traffic shifts: what is live is dropped again."""
    FLEX = "zappa flexing"
    """An update of an app that flexes and is on Fargate, with its second stack."""
    RELEASE = "zappa release command"
    """An update whose version runs a command before it takes the traffic."""
    ROLLBACK = "zappa rollback"
    UNHEALTHY = "zappa unhealthy"
    """An update that does not answer, and is taken back."""
    ZAPPA_UPDATE = "zappa update"
    REMOVING = "zappa removing"
    """The deletion of the zip of an app that flexes and is on both fronts."""
    ZAPPA_FIRST = "zappa first"
    CHALICE_UPDATE = "chalice update"
    CHALICE_FIRST = "chalice first"
    COLLECTING = "zappa collecting"
    """An update after which the oldest release is collected."""
    PUT_OFF = "zappa put off"
    """A first deployment that AWS throttles, so that it waits and is begun once more."""
    SLOW = "slow chalice"
    """Takes so long that the heartbeat beats meanwhile."""

    @property
    def updates(self) -> bool:
        """Whether an app is live before."""
        return self not in {Scenario.CHALICE_FIRST, Scenario.ZAPPA_FIRST, Scenario.PUT_OFF, Scenario.SLOW}

    @property
    def flexes(self) -> bool:
        """Whether the app has a second stack."""
        return self in {Scenario.FLEX, Scenario.REMOVING}

    @property
    def orders(self) -> bool:
        """Whether it is an order about traffic that shifts."""
        return self in {Scenario.PROMOTING, Scenario.ABORTING}

    @property
    def settings(self) -> Mapping[str, str]:
        """What the worker needs for it, over what it has for all."""
        if self is Scenario.COLLECTING:
            return {"AUTO_LAMBDA_RETAIN_RELEASES": "1", "AUTO_LAMBDA_COLLECT_AFTER_MINUTES": "0"}
        if self is Scenario.REMOVING:
            return {"AUTO_LAMBDA_UNDEPLOY_ON_DELETE": "true"}
        return {} if self.remembers else {"AUTO_LAMBDA_SPARE_BUILDERS": "1"}

    @property
    def remembers(self) -> bool:
        """Whether its builds are remembered; not where it is about a build."""
        return self is not Scenario.SLOW

    @property
    def throttled(self) -> Call | None:
        """The call that AWS throttles in each run of it."""
        return Call("cloudformation:CreateChangeSet") if self is Scenario.PUT_OFF else None

    def zip(self, word: str, *, answers: bool = True) -> bytes:
        """An app without dependencies that answers a word, or fails when it is asked."""
        files = saying(word, small_zappa() if "zappa" in self else None)
        if self is Scenario.SLOW:
            files["app.py"] = f"import time\ntime.sleep(4)\n{files['app.py']!s}"
        if self in _TOML:
            files["auto-lambda.toml"] = _TOML[self]
        if self is Scenario.RELEASE:
            files["app.py"] = f"{files['app.py']!s}{_PREPARE}"
        if not answers:
            failing = str(saying("broken", small_zappa())["app.py"]).replace("200 OK", "500 Internal Server Error")
            files["app.py"] = f"{failing}# {word}\n"
        return make_zip(files)
