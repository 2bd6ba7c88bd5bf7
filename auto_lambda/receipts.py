"""Receipts: the JSON beside a zip that tells what became of it. Written by workers, read by the command line.

docs/reference/receipt.md describes the fields, which are a contract.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from auto_lambda import keys
from auto_lambda.errors import first_lines
from auto_lambda.model import Commit, Dropper, GuessedSettings, Proof, Traffic

SCHEMA = 1
MAX_LINES = 200
"""Permissions that a receipt lists at most."""
MAX_BYTES = 2_000_000
"""Bytes of a receipt that are read at most: somebody else may have written it."""
LATEST = "$LATEST"
"""In place of a version's number: the function that a failed first release has left, to which nothing leads."""
_MOST_USD = 1e9  # a month; more is no price
_LONGEST_SILENCE = 30.0  # seconds; a worker writes a receipt of what it works on every ten
Status = Literal["queued", "building", "deploying", "live", "failed", "superseded", "delayed"]
Step = Literal["fetch", "unpack", "inspect", "build", "compile", "prove", "deploy", "verify"]
FINAL = frozenset({"live", "failed", "superseded"})


class MalformedReceipt(ValueError):
    """The text is no receipt. Whoever may drop a zip may also write beside it."""


@dataclass(frozen=True, slots=True)
class ReceiptError:
    """Why an upload is not live: a stable code for programs, a message and a hint for people."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Serving:
    """What an app's users get, whatever became of the upload that the receipt is about.

    ``object_version`` is the version of the zip, ``previous_version`` the one that a rollback leads to.
    """

    url: str | None
    function: str | None
    version: str | None
    object_version: str | None
    previous_version: str | None = None


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the roles of an upload's release may do, as lines, and the changes since the release that was live.

    ``rights`` is the pipeline's mode: ``granted`` or ``account``. Each list holds `MAX_LINES` lines at most; one more
    says how many there are beside them.
    """

    rights: str
    has: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def bounded(cls, rights: str, has: Sequence[str], added: Sequence[str], removed: Sequence[str]) -> Permissions:
        """Shorten the lists."""
        return cls(rights, *(tuple(first_lines(lines, MAX_LINES)) for lines in (has, added, removed)))

    @property
    def changes(self) -> tuple[str, ...]:
        """Every change, as a line with its sign."""
        return signed(self.added, self.removed)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one function costs for one thing in a month of 730 hours, in US dollars; ``how`` says how it is counted."""

    function: str
    what: str
    usd: float
    how: str


@dataclass(frozen=True, slots=True)
class StandingCosts:
    """What a release costs a month though nobody uses it. ``prices`` says whose prices these are: region and month."""

    prices: str
    items: tuple[Cost, ...]

    @property
    def usd(self) -> float:
        """The sum."""
        return sum(one.usd for one in self.items)

    def __str__(self) -> str:
        parts = ", ".join(f"{one.what} of {one.function} ${one.usd:.2f}" for one in self.items)
        return f"${self.usd:.2f} a month while idle, at prices of {self.prices}: {parts}"

    def as_json(self) -> dict[str, Any]:
        """Return the fields of the receipt."""
        items = [{**asdict(one), "usd": round(one.usd, 4)} for one in self.items]
        return {"usd_per_month": round(self.usd, 4), "prices": self.prices, "items": items}


def signed(added: Iterable[str], removed: Iterable[str]) -> tuple[str, ...]:
    """Return what was added and what was removed as lines that begin with ``+`` or ``-``."""
    return (*(f"+ {line}" for line in added), *(f"- {line}" for line in removed))


@dataclass(frozen=True, slots=True)
class Receipt:
    """One state of one upload. ``timings`` in seconds by step; times in UTC; None is 'not known (yet)'.

    ``step_began`` is when the step began that runs. ``held_until`` is when another worker may take the upload over,
    unless this one extends it, as it does while it works. ``stored`` is the JSON that a receipt was read from: it may
    have been written by another version.
    """

    key: str
    worker: str
    app: str | None = None
    stage: str | None = None
    status: Status = "queued"
    step: Step | None = None
    object_version: str | None = None
    rollback: str | None = None
    sha256: str | None = None
    size: int | None = None
    framework: str | None = None
    python: str | None = None
    architecture: str | None = None
    sandbox: str | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    proof: Proof | None = None
    url: str | None = None
    function: str | None = None
    version: str | None = None
    alias: str | None = None
    serving: Serving | None = None
    error: ReceiptError | None = None
    warnings: tuple[str, ...] = ()
    updated: datetime | None = None
    by: Dropper | None = None
    permissions: Permissions | None = None
    retry_at: datetime | None = None
    commit: Commit | None = None
    costs: StandingCosts | None = None
    function_log: tuple[str, ...] = ()
    settings: GuessedSettings | None = None
    traffic: Traffic | None = None
    step_began: datetime | None = None
    held_until: datetime | None = None
    stored: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def final(self) -> bool:
        """Whether the receipt of this version will not change any more."""
        return self.status in FINAL

    @property
    def patience(self) -> float | None:
        """Seconds without a newer receipt after which the worker may have been lost; None if none works on it."""
        if self.final or self.held_until is None or self.updated is None:
            return None
        # Longer than from one heartbeat to the next, whatever the visibility timeout.
        return min(_LONGEST_SILENCE, max(0.0, (self.held_until - self.updated).total_seconds() / 2))

    def silent(self, now: datetime) -> bool:
        """Tell whether the worker should have written again by now."""
        patience, written = self.patience, self.updated
        return patience is not None and written is not None and (now - written).total_seconds() > patience

    @property
    def shifts(self) -> bool:
        """Whether traffic is shifting to the upload's release."""
        return self.traffic is not None and self.status == "deploying" and self.traffic.shared

    @property
    def undeployed(self) -> bool:
        """Of a removal: whether the app was removed from AWS."""
        known = self.stored is None or "serving" in self.stored
        return self.status == "superseded" and known and self.serving is None

    @property
    def live(self) -> Serving | None:
        """The release that users get: `serving`, unless that is what a first release has left when it failed."""
        if self.serving is None or self.status != "failed":
            return self.serving
        own = self.serving.object_version is not None and self.serving.object_version == self.object_version
        return None if own or self.serving.version == LATEST else self.serving

    @property
    def subject(self) -> str:
        """The upload: its key and version, as in `Attempt.subject`."""
        return f"{self.key}@{self.object_version}"

    @property
    def name(self) -> str:
        """The app as ``stage/name``; the key if it names none."""
        return f"{self.stage}/{self.app}" if self.app and self.stage else self.key or "?"

    def as_json(self) -> dict[str, Any]:
        """Return every field of the contract."""
        proof = self.proof
        return {
            "schema": SCHEMA,
            "app": self.app,
            "stage": self.stage,
            "status": self.status,
            "step": self.step,
            "upload": {
                "key": self.key, "version": self.object_version, "sha256": self.sha256, "size": self.size,
            },
            "rollback": self.rollback,
            "by": asdict(self.by) if self.by else None,
            "commit": self.commit.hash if self.commit else None,
            "repository": self.commit.repository if self.commit else None,
            "framework": self.framework,
            "python": self.python,
            "architecture": self.architecture,
            "sandbox": self.sandbox,
            "timings": {step: round(seconds, 3) for step, seconds in self.timings.items()},
            "init_ms": proof.init_ms if proof else None,
            "package_bytes": proof.package_bytes if proof else None,
            "package_zip_bytes": proof.package_zip_bytes if proof else None,
            "url": self.url,
            "function": self.function,
            "version": self.version,
            "alias": self.alias,
            "serving": _serving_json(self.serving),
            "error": asdict(self.error) if self.error else None,
            "function_log": list(self.function_log) or None,
            "permissions": asdict(self.permissions) if self.permissions else None,
            "costs": self.costs.as_json() if self.costs else None,
            "settings": asdict(self.settings) if self.settings else None,
            "traffic": self.traffic.as_json() if self.traffic else None,
            "warnings": list(self.warnings),
            "retry_at": _text(self.retry_at),
            "step_began": _text(self.step_began),
            "held_until": _text(self.held_until),
            "log": keys.log_key(self.key),
            "worker": self.worker,
            "updated": _text(self.updated),
        }  # fmt: skip

    @classmethod
    def from_text(cls, text: bytes | str) -> Receipt:
        """Read the JSON of a receipt.

        Raises:
            MalformedReceipt: it is none.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedReceipt(str(error)) from error
        if not isinstance(fields, dict):
            raise MalformedReceipt(f"a JSON {type(fields).__name__} instead of an object")
        return cls.from_json(fields)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Receipt:
        """Read the fields of a receipt. What is missing, or has another type, is not known."""
        upload, text = _mapping(fields, "upload"), _texts(fields)
        size = upload.get("size")
        return cls(
            key=_texts(upload).get("key", ""),
            worker=text.get("worker", ""),
            app=text.get("app"),
            stage=text.get("stage"),
            status=cast("Status", text.get("status", "queued")),
            step=cast("Step | None", text.get("step")),
            object_version=_texts(upload).get("version"),
            rollback=text.get("rollback"),
            by=Dropper.told(*map(_mapping(fields, "by").get, ("principal", "address"))),
            commit=Commit.told(fields),
            sha256=_texts(upload).get("sha256"),
            size=size if isinstance(size, int) else None,
            framework=text.get("framework"),
            python=text.get("python"),
            architecture=text.get("architecture"),
            sandbox=text.get("sandbox"),
            timings={step: took for step, took in _mapping(fields, "timings").items() if isinstance(took, int | float)},
            proof=_proof(fields),
            url=text.get("url"),
            function=text.get("function"),
            version=text.get("version"),
            alias=text.get("alias"),
            serving=_serving(fields),
            error=_error(fields),
            warnings=_lines(fields, "warnings"),
            updated=_moment(text.get("updated")),
            permissions=_permissions(fields),
            retry_at=_moment(text.get("retry_at")),
            costs=_costs(fields),
            function_log=_lines(fields, "function_log"),
            settings=_settings(fields),
            traffic=Traffic.told(_mapping(fields, "traffic")),
            step_began=_moment(text.get("step_began")),
            held_until=_moment(text.get("held_until")),
            stored=fields,
        )


def _serving_json(it: Serving | None) -> dict[str, str | None] | None:
    if it is None:
        return None
    return {
        "url": it.url, "function": it.function, "version": it.version,
        "upload": it.object_version, "before": it.previous_version,
    }  # fmt: skip


def _serving(fields: Mapping[str, Any]) -> Serving | None:
    if not isinstance(fields.get("serving"), Mapping):
        return None
    text = _texts(fields["serving"])
    return Serving(text.get("url"), text.get("function"), text.get("version"), text.get("upload"), text.get("before"))


def _settings(fields: Mapping[str, Any]) -> GuessedSettings | None:
    if not isinstance(fields.get("settings"), Mapping):
        return None
    text = _texts(fields["settings"])
    return GuessedSettings(text.get("file", ""), text.get("text", ""))


def _error(fields: Mapping[str, Any]) -> ReceiptError | None:
    if not isinstance(fields.get("error"), Mapping):
        return None
    text = _texts(fields["error"])
    return ReceiptError(text.get("code", ""), text.get("message", ""), text.get("hint", ""))


def _proof(fields: Mapping[str, Any]) -> Proof | None:
    init_ms, unzipped, zipped = (fields.get(name) for name in ("init_ms", "package_bytes", "package_zip_bytes"))
    if not isinstance(unzipped, int) or not isinstance(zipped, int):
        return None
    return Proof(init_ms if isinstance(init_ms, int) else None, unzipped, zipped)


def _permissions(fields: Mapping[str, Any]) -> Permissions | None:
    told = _mapping(fields, "permissions")
    if not isinstance(told.get("rights"), str):
        return None
    return Permissions(told["rights"], *(_lines(told, name) for name in ("has", "added", "removed")))


def _costs(fields: Mapping[str, Any]) -> StandingCosts | None:
    told = _mapping(fields, "costs")
    items = told.get("items")
    if not isinstance(items, list):
        return None
    texts = ((_texts(one), one.get("usd")) for one in items if isinstance(one, Mapping))
    known = (
        Cost(text.get("function", ""), text.get("what", ""), float(usd), text.get("how", ""))
        for text, usd in texts
        if isinstance(usd, int | float) and not isinstance(usd, bool) and 0 <= usd < _MOST_USD
    )
    return StandingCosts(_texts(told).get("prices", ""), tuple(known))


def _lines(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, Mapping) else {}


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None
