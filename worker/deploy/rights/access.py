"""Reads what the platform team grants and approves, from the artifacts bucket. Workers never write there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial

from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.grants import MAX_BYTES, BadGrants, Grants, default_key, grants_key
from auto_lambda.keys import App, approval_key
from auto_lambda.redact import printable
from worker.deploy.at_once import both
from worker.deploy.gate.access import AppAccess, Rights
from worker.deploy.gate.quotas import Quotas
from worker.deploy.rights.decide import granted

PLATFORM_STAGE = "platform"
NORMAL = Quotas()


class UnreadableGrants(Exception):
    """A grants file has a mistake. That is our side's: no upload is refused for it, and none gets what it may mean."""


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The permissions boundaries of apps' roles, by ARN.

    Attributes:
        own: for the namespace of an app alone, or for the whole account where apps may reach it.
        granted: for apps with granted rights; None for the same.
        platform: for apps of the stage ``platform``; None for the same as others.
    """

    own: str
    granted: str | None = None
    platform: str | None = None


class AccessReader:
    """Decides what an app may reach.

    Args:
        store: S3.
        bucket: for artifacts.
        rights: what the pipeline lets apps reach.
        boundaries: to choose from.
        quotas: the pipeline's.
    """

    def __init__(
        self, store: ObjectStore, bucket: str, rights: Rights, boundaries: Boundaries, quotas: Quotas = NORMAL
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._rights = rights
        self._boundaries = boundaries
        self._quotas = quotas

    def access(self, app: App) -> AppAccess:
        """Return what an app may reach now.

        Raises:
            UnreadableGrants: its grants, or those of its stage, have a mistake.
        """
        own, default = both(partial(self._grants, grants_key(app)), partial(self._grants, default_key(app.stage)))
        grants = own.with_default(default)
        return AppAccess(app, grants, self._rights, self._quotas, self._boundary(app, grants))

    def approved(self, app: App, digest: str) -> str | None:
        """Return who has approved a set of permissions and when, as one line; None if nobody has."""
        try:
            text = self._store.get_start(self._bucket, approval_key(app, digest), MAX_BYTES)
        except ObjectMissing:
            return None
        try:
            read = json.loads(text)
            return printable(f"approved by {read['by']} at {read['when']}")
        except (ValueError, KeyError, TypeError) as error:
            key = approval_key(app, digest)
            raise UnreadableGrants(f"{key} in the bucket {self._bucket} cannot be read: {error}") from error

    def _boundary(self, app: App, grants: Grants) -> str:
        if grants.boundary:
            return grants.boundary
        if app.stage == PLATFORM_STAGE and self._boundaries.platform:
            return self._boundaries.platform
        beyond = any(granted(grants)) or grants.managed_policies
        if self._rights == "granted" and beyond and self._boundaries.granted:
            return self._boundaries.granted
        return self._boundaries.own

    def _grants(self, key: str) -> Grants:
        try:
            return check_quotas(Grants.read(self._store.get_start(self._bucket, key, MAX_BYTES + 1)))
        except ObjectMissing:
            return Grants()
        except BadGrants as error:
            raise UnreadableGrants(f"{key} in the bucket {self._bucket} cannot be read: {error}") from error


def check_quotas(grants: Grants) -> Grants:
    """Return grants whose quotas all exist.

    Raises:
        BadGrants: the gate does not know one of them.
    """
    if unknown := grants.quotas.keys() - asdict(NORMAL).keys():
        raise BadGrants(f"there is no quota {', '.join(sorted(unknown))}")
    return grants
