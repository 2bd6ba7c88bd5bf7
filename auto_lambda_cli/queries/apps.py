"""The apps of a pipeline, as the bucket tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import Head
from auto_lambda.receipts import Receipt
from auto_lambda_cli.queries.services import Services

_AT_ONCE = 8  # receipts that are read at the same time; a client has ten connections


@dataclass(frozen=True, slots=True)
class ListedApp:
    """One zip or receipt in the bucket.

    Attributes:
        key: the zip's.
        app: None if the key names none: the receipt says what is wrong with it.
        receipt: of its newest zip; None: no worker has received it yet.
        present: whether the zip is there.
    """

    key: str
    app: keys.App | None
    receipt: Receipt | None
    present: bool

    @property
    def name(self) -> str:
        """The app's name; the key if it names none."""
        return self.app.name if self.app else self.key

    @property
    def stage(self) -> str:
        """The app's stage, empty if the key names none."""
        return self.app.stage if self.app else ""

    @property
    def status(self) -> str:
        """The receipt's status; ``queued`` without one, ``undeployed`` of an app that was removed from AWS."""
        if self.receipt is None:
            return "queued"
        return "undeployed" if self.receipt.undeployed and not self.present else self.receipt.status

    @property
    def url(self) -> str | None:
        """The URL that serves now."""
        if self.receipt is None or self.receipt.serving is None:
            return self.receipt.url if self.receipt else None
        return self.receipt.live.url if self.receipt.live else None


@dataclass(frozen=True, slots=True)
class Apps:
    """The apps that may be seen. ``unseen``: keys of zips whose receipts may not be read."""

    listed: tuple[ListedApp, ...]
    unseen: tuple[str, ...] = ()

    @property
    def by_stage(self) -> dict[str, tuple[ListedApp, ...]]:
        """The apps of each stage, both sorted; keys that name no app are under the empty stage."""
        stages = sorted({one.stage for one in self.listed})
        return {
            stage: tuple(sorted((one for one in self.listed if one.stage == stage), key=lambda it: (it.name, it.key)))
            for stage in stages
        }


def apps(services: Services, below: str = "", known: KnownReceipts | None = None) -> Apps:
    """List the apps.

    Args:
        services: of the pipeline.
        below: the beginning of what follows ``apps/`` in the keys to list.
        known: receipts that were read before.
    """
    unseen = list[str]()
    reader = known.reader(services) if known else None
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="receipts") as threads:
        entries = drops.every(services.store, services.bucket, below, unseen.append, reader=reader, each=threads.map)
        return Apps(tuple(_listed(entries)), tuple(unseen))


class KnownReceipts:
    """The receipts of a listing, for the next one: each is read again only if it has changed. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str | None, Receipt | None]] = {}

    def reader(self, services: Services) -> Callable[[Head], Receipt | None]:
        """Return what reads receipts for one listing, and forgets those that are not in it."""
        before, self._known = self._known, {}
        now = self._known

        def read(head: Head) -> Receipt | None:
            etag, receipt = before.get(head.key, (None, None))
            if etag is None or etag != head.etag:
                receipt = drops.read(services.store, services.bucket, keys.upload_key(head.key))
            now[head.key] = (head.etag, receipt)
            return receipt

        return read


def _listed(entries: Iterable[drops.Entry]) -> Iterable[ListedApp]:
    for key, receipt, present in entries:
        yield ListedApp(key, _app(key), receipt, present)


def _app(key: str) -> keys.App | None:
    try:
        return keys.parse(key)
    except keys.BadKey:
        return None


def names(services: Services, stage: str | None = None) -> list[str]:
    """Return the names of the apps, without reading a receipt: for completion in a shell."""
    heads = services.store.list(services.bucket, keys.PREFIX)
    found = (_app(head.key) for head in heads if head.key.endswith(keys.SUFFIX))
    return sorted({app.name for app in found if app and stage in (None, app.stage)})
