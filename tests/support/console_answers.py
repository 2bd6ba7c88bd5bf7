"""Answers of the console's server, as data: what a page shows in states that are hard to bring about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Answer = tuple[int, str, str]  # status, type, body
STEPS = ("fetch", "unpack", "inspect", "build", "compile", "prove", "deploy", "verify")
RELEASE = "a1b2c3d4e5f6"
HTML = "<img src=x onerror=alert(1)><script>alert(2)</script>"
LONG = "x" * 300


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def refused(code: str = "refused", message: str = "these credentials may not: s3:ListBucket") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "hint": "Ask for the right.", "retry": False}}


ABOUT = {
    "version": "1", "bucket": "uploads", "endpoint": None, "local": False, "region": "eu-central-1",
    "stages_default": "dev", "steps": STEPS, "name_pattern": "[a-z0-9][a-z0-9-]{0,39}",
    "limits": {"zip_bytes": 1_000_000, "folder_files": 5, "folder_bytes": 1_000_000},
    "folder": {"skip": [".git", "*.pyc", ".env*"]},
}  # fmt: skip


def error(message: str = "no version of `flaskk` was found") -> dict[str, Any]:
    return {
        "code": "bad-requirements",
        "message": message,
        "hint": "Is it `flask`?",
        "help": "api/help/errors/bad-requirements",
    }


def row(name: str, status: str = "live", stage: str = "dev", **more: Any) -> dict[str, Any]:
    return {
        "key": f"apps/{stage}/{name}.zip", "app": {"stage": stage, "name": name}, "name": name, "status": status,
        "step": None, "url": f"https://{name}.example/", "live": True, "since": ago(4000),
        "by": "arn:aws:iam::1:user/jo", "release": RELEASE, "version": "3", "framework": "chalice", "python": "3.12",
        "updated": ago(90), "present": True, "error": None, **more,
    }  # fmt: skip


def parts(**values: Any) -> dict[str, Any]:
    told = {
        name: value if isinstance(value, dict) and set(value) == {"error"} else {"value": value}
        for name, value in values.items()
    }
    return {"at": ago(0), "parts": told}


def apps(*rows: Mapping[str, Any]) -> dict[str, Any]:
    stages = sorted({one["app"]["stage"] if one["app"] else "" for one in rows})
    listed = [
        {"stage": stage, "apps": [one for one in rows if (one["app"] or {"stage": ""})["stage"] == stage]}
        for stage in stages
    ]
    return parts(apps={"stages": listed, "unseen": []})


LIVE = {
    "url": "https://shop.example/", "function": "shop-dev", "version": "3", "release": RELEASE, "since": ago(4000),
    "by": "jo", "previous": "0f0f0f0f", "framework": "chalice", "python": "3.12",
}  # fmt: skip


def state(*, live: Any = LIVE, under_way: Any = None) -> dict[str, Any]:
    return {
        "app": {"stage": "dev", "name": "shop"}, "key": "apps/dev/shop.zip", "exists": True, "live": live,
        "under_way": under_way, "failures": [], "unknown": [],
    }  # fmt: skip


def receipt(status: str = "live", **more: Any) -> dict[str, Any]:
    at = STEPS.index("build") if status in {"failed", "building"} else len(STEPS)
    steps = [
        {"step": step, "status": "done" if number < at else "waiting", "seconds": 1.5 if number < at else None,
         "since": None}
        for number, step in enumerate(STEPS)
    ]  # fmt: skip
    if at < len(STEPS):
        steps[at] |= {
            "status": "failed" if status == "failed" else "running",
            "since": ago(7) if status == "building" else None,
        }
    return {
        "status": status, "step": "build", "release": RELEASE, "updated": ago(30), "framework": "chalice",
        "python": "3.12", "architecture": "x86_64", "worker": "w-1", "by": "jo", "commit": None, "repository": None,
        "rollback": None, "url": None, "function": None, "version": None, "size": 123_456, "sandbox": "full",
        "warnings": [], "function_log": [], "error": None, "permissions": None, "costs": None, "settings": None,
        "retry_at": None, "steps": steps, "raw": {"schema": 1}, **more,
    }  # fmt: skip


def failed(message: str = "no version of `flaskk` was found", **more: Any) -> dict[str, Any]:
    return parts(state=state(), receipt=receipt("failed", error=error(message), **more))


def building() -> dict[str, Any]:
    way = {"status": "building", "step": "build", "release": RELEASE, "since": ago(7), "by": "jo", "worker": "w-1",
           "reason": None, "seconds": 7}  # fmt: skip
    return parts(state=state(live=None, under_way=way), receipt=receipt("building"))


def releases() -> dict[str, Any]:
    listed = [
        {"id": f"{number}1b2c3d4e5f6", "short": f"{number}1b2c3d4", "dropped": ago(5000 * number + 30),
         "live_since": None if number == 1 else ago(5000 * number), "live": number == 0,
         "outcome": "failed" if number == 1 else "live", "code": "bad-requirements" if number == 1 else None,
         "function_version": str(9 - number), "by": "jo", "rollback": None, "framework": "chalice", "python": "3.12",
         "size": 1_234_567, "restorable": number != 1}
        for number in range(4)
    ]  # fmt: skip
    return parts(releases={"listed": listed, "unknown": []})


def configuration() -> dict[str, Any]:
    listed = [
        {"name": "GREETING", "value": "hello", "secret": False, "modified": ago(99)},
        {"name": "API_KEY", "value": None, "secret": True, "modified": ago(999)},
    ]
    return parts(configuration=listed)


def fleet() -> dict[str, Any]:
    running = [{"app": "dev/quotes", "step": "build", "seconds": 12.3, "worker": "w-1"}]
    last = [{"app": "dev/shop", "status": "live", "updated": ago(40), "what": "https://shop.example/"}]
    return parts(
        queue={"visible": 3, "in_flight": 2, "delayed": 0}, dead_letters=1, running=running, last=last,
        workers=refused("unset", "AUTO_LAMBDA_WORKER_GROUP is not set"),
    )  # fmt: skip


def series(minutes: int = 60) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    times = [now - 60 * (minutes - number) for number in range(minutes)]
    waves = [abs(number % 20 - 10) for number in range(minutes)]
    return parts(series={
        "period": 60, "times": times,
        "series": {"backlog_seconds": [9 * wave for wave in waves], "visible": waves, "in_flight": [1] * minutes,
                   "workers": [None] * minutes, "busy": [min(wave, 2) for wave in waves]},
    })  # fmt: skip


def letters() -> dict[str, Any]:
    one = {
        "id": "1",
        "apps": ["dev/shop"],
        "code": "internal",
        "reason": "S3 did not answer",
        "attempts": 5,
        "log": ["one"],
    }
    return parts(letters=[one])


def events(*told: tuple[str, Any]) -> Answer:
    """Server-sent events, after which the connection ends for good."""
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in (*told, ("end", None)))
    return 200, "text/event-stream", text


def log(text: str) -> tuple[str, Any]:
    return "log", {"release": RELEASE, "text": text, "reset": True, "cut": 0}


def help_on(text: str, code: str = "bad-requirements") -> dict[str, str]:
    return {"code": code, "text": text}


class Answers:
    """What a server answers; `set` changes one of them. What is not among them is refused with 404."""

    def __init__(self, **changed: Any) -> None:
        self.asked: list[str] = []
        self._answers: dict[str, Any] = {
            "about": ABOUT,
            "apps": apps(row("shop"), row("quotes", "building", step="build"), row("shop", stage="prod")),
            "apps/dev/shop/events": events(("app", failed()), log("building\n" * 400)),
            "apps/dev/shop/runtime": events(
                ("lines", {"events": [{"at": ago(3), "function": "shop-dev", "message": "GET / 200"}], "dropped": 0}),
                ("looked", {"at": ago(0), "functions": ["shop-dev", "send-mail"]}),
            ),
            "apps/dev/shop/releases": releases(),
            "apps/dev/shop/configuration": configuration(),
            "fleet/events": events(("fleet", fleet())),
            "fleet/series": series(),
            "dead-letters": letters(),
            "help/errors/bad-requirements": help_on("A file of `requirements` is wrong.\n\n- one\n- two"),
        }
        for path, answer in changed.items():
            self.set(path, answer)

    def set(self, path: str, answer: Any) -> None:
        """Change an answer: JSON, or a finished one."""
        self._answers[path] = answer

    def __call__(self, method: str, path: str) -> Answer:
        plain = path.split("?")[0]
        self.asked.append(f"{method} {path}")
        answer = self._answers.get(plain if method == "GET" else f"{method} {plain}")
        if answer is None:
            return 404, "application/json", json.dumps(refused("no-such-page", "there is nothing here"))
        return answer if isinstance(answer, tuple) else (200, "application/json", json.dumps(answer))
