"""Asks registries which tags there are and what they hold. Only a registry's own addresses are ever called."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from .http import Answer, Unreachable, ask
from .images import DOCKER_HUB, Follow, Image, Tag
from .model import Target, Unknown

_HUB_API, _HUB_TOKENS, _HUB_SITE = "registry-1.docker.io", "auth.docker.io", "hub.docker.com"
_TOKEN_HOSTS = {"registry.gitlab.com": "gitlab.com"}
_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_REDIRECTS = (302, 307)
_PAGES, _PAGE = 20, 1000
_MOST_DATED = 50  # tags whose age has to be asked one by one
_INDEXES = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_ACCEPT = {"Accept": f"{_INDEXES}, {_MANIFESTS}"}
"""Indexes first: the digest of a multi-architecture image stands for all of its architectures."""
Credentials = Callable[[str], str | None]


class NoSuch(Exception):
    """The registry has no such image or tag, or does not show it; the message says which."""


class Registry(Protocol):
    """A registry that holds an image."""

    def tags(self, image: Image, *, dated: bool) -> list[Tag]:
        """Return all tags, with their times if wanted. Raises `NoSuch`, `Unreachable`."""

    def digest(self, image: Image, tag: str) -> str:
        """Return what a tag holds now. Raises `NoSuch`, `Unreachable`."""


class Registries:
    """Every registry, each found by the host in an image's name.

    Args:
        credentials: ``user:password`` by host, None for none.
        ecr: makes a boto3 client of ECR for a region.
        plain: hosts that are spoken to without TLS: of tests.
        token_hosts: by registry the host that hands out its tokens, if that is another one.
    """

    def __init__(
        self,
        credentials: Credentials,
        ecr: Callable[[str], Any] | None = None,
        plain: Collection[str] = (),
        token_hosts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._credentials = credentials
        self._ecr = ecr
        self._plain = plain
        self._token_hosts = {**_TOKEN_HOSTS, **token_hosts}

    def resolve(self, follow: Follow) -> Target | Unknown:
        """Return what a service that follows this should run."""
        where = f"{follow.image.name}:{follow.pattern}"
        try:
            return self._resolve(follow, self._of(follow.image.registry))
        except NoSuch as error:
            return Unknown(str(error))
        except (Unreachable, ClientError, BotoCoreError) as error:
            return Unknown(f"{where}: {follow.image.registry} cannot be asked ({error}); later", late=True)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return Unknown(f"{where}: {follow.image.registry} answers what no registry does ({error!r})", late=True)

    def _resolve(self, follow: Follow, registry: Registry) -> Target:
        if follow.exact:
            return Target(follow.pattern, registry.digest(follow.image, follow.pattern))
        tag = follow.choose(registry.tags(follow.image, dated=follow.newest))
        if tag is None:
            raise NoSuch(f"no tag of {follow.image.name} fits {follow.pattern}")
        return Target(tag.name, registry.digest(follow.image, tag.name), tag.pushed)

    def _of(self, host: str) -> Registry:
        found = _ECR.fullmatch(host)
        if found and self._ecr:
            return EcrRegistry(self._ecr(found["region"]), found["account"])
        if host == DOCKER_HUB:
            return DockerHub(self._credentials(host))
        scheme = "http" if host in self._plain else "https"
        return HttpRegistry(host, self._credentials(host), scheme, self._token_hosts.get(host))


class Remembering:
    """Remembers for a while what registries said, so that a tick each minute does not ask each time.

    Args:
        registries: are asked.
        seconds: how long an answer counts. That something is late or unknown is not remembered.
        clock: monotonic seconds.
    """

    def __init__(self, registries: Registries, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._registries = registries
        self._seconds = seconds
        self._clock = clock
        self._known: dict[Follow, tuple[float, Target]] = {}

    def resolve(self, follow: Follow) -> Target | Unknown:
        """Return what a service that follows this should run."""
        asked, known = self._known.get(follow, (0.0, None))
        if known and self._clock() - asked < self._seconds:
            return known
        found = self._registries.resolve(follow)
        if isinstance(found, Target):
            self._known[follow] = (self._clock(), found)
        return found

    def forget(self) -> None:
        """Ask again: something was pushed."""
        self._known.clear()


class EcrRegistry:
    """A private registry of AWS."""

    def __init__(self, client: Any, account: str) -> None:
        self._client = client
        self._account = account

    def tags(self, image: Image, *, dated: bool) -> list[Tag]:
        """Return all tags; ECR always knows when they were pushed."""
        del dated
        told = self._described(image, filter={"tagStatus": "TAGGED"})
        return [Tag(tag, one.get("imagePushedAt")) for one in told for tag in one.get("imageTags", ())]

    def digest(self, image: Image, tag: str) -> str:
        """Return what a tag holds now."""
        found = next(iter(self._described(image, imageIds=[{"imageTag": tag}])), None)
        if found is None:
            raise NoSuch(f"{image.name} has no tag {tag}")
        return str(found["imageDigest"])

    def _described(self, image: Image, **asked: Any) -> list[Mapping[str, Any]]:
        pages = self._client.get_paginator("describe_images")
        try:
            answers = pages.paginate(registryId=self._account, repositoryName=image.repository, **asked)
            return [one for page in answers for one in page["imageDetails"]]
        except self._client.exceptions.ImageNotFoundException:
            return []
        except self._client.exceptions.RepositoryNotFoundException:
            raise NoSuch(f"there is no image {image.name}") from None


class HttpRegistry:
    """A registry that speaks the distribution API (v2): Docker Hub, GitHub's, GitLab's, or one's own.

    Args:
        host: its own.
        credentials: ``user:password``, None for none. They are shown to it and to its token host only.
        scheme: ``http`` in tests.
        token_host: the only other host that may hand out its tokens.
    """

    def __init__(
        self, host: str, credentials: str | None, scheme: str = "https", token_host: str | None = None
    ) -> None:
        self._token_hosts = {host, token_host}
        self._base = f"{scheme}://{host}"
        self._scheme = scheme
        self._basic = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else None
        self._bearer = cache(self._fetch_token)

    def tags(self, image: Image, *, dated: bool) -> list[Tag]:
        """Return all tags; their times, if wanted, are those at which the images were built."""
        names = [name for page in self._pages(image) for name in page.get("tags") or ()]
        if not dated:
            return [Tag(name) for name in names]
        if len(names) > _MOST_DATED:
            told = f"{image.name} has {len(names)} tags, too many to ask each one's age: follow a pattern such as 1.x"
            raise NoSuch(told)
        return [Tag(name, self._created(image, name)) for name in names if name != "latest"]

    def digest(self, image: Image, tag: str) -> str:
        """Return what a tag holds now, without downloading anything."""
        answer = self._get(image, f"manifests/{tag}", "HEAD", f"{image.name} has no tag {tag}")
        digest = answer.headers.get("docker-content-digest", "")
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise Unreachable(f"it gives no digest for {tag}")
        return digest

    def _pages(self, image: Image) -> Iterator[Any]:
        path: str | None = f"tags/list?n={_PAGE}"
        for _ in range(_PAGES):
            answer = self._get(image, path or "", "GET", f"there is no image {image.name}")
            yield answer.json()
            following = re.search(r"<([^>]*)>;\s*rel=\"?next", answer.headers.get("link", ""))
            if not following:
                return
            path = "tags/list?" + urlsplit(following[1]).query  # whatever host it names
        raise NoSuch(f"{image.name} has more than {_PAGES * _PAGE:,} tags")

    def _created(self, image: Image, tag: str) -> datetime:
        manifest = self._get(image, f"manifests/{tag}", "GET", f"{image.name} has no tag {tag}").json()
        if one := next(iter(manifest.get("manifests") or ()), None):
            manifest = self._get(image, f"manifests/{one['digest']}", "GET", f"{tag} is incomplete").json()
        told = self._blob(image, manifest.get("config", {}).get("digest", ""), tag).json()
        return _time(told.get("created"))

    def _blob(self, image: Image, digest: str, tag: str) -> Answer:
        """Return a blob. Registries redirect to where they store them; a digest says that nobody else has answered."""
        answer = self._get(image, f"blobs/{digest}", "GET", f"{tag} has no configuration")
        elsewhere = urlsplit(answer.headers.get("location", ""))
        if answer.status in _REDIRECTS and elsewhere.scheme == self._scheme:
            answer = ask(elsewhere.geturl())  # without credentials
        if answer.status != 200 or f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
            raise Unreachable(f"it does not hand out the configuration of {tag}")
        return answer

    def _get(self, image: Image, path: str, method: str, missing: str) -> Answer:
        url = f"{self._base}/v2/{image.repository}/{path}"
        answer = ask(url, method=method, headers=_ACCEPT)
        if answer.status == 401:
            token = self._bearer(answer.headers.get("www-authenticate", ""))
            answer = ask(url, method=method, headers={**_ACCEPT, "Authorization": token})
        if answer.status == 404:
            raise NoSuch(missing)
        if answer.status in (401, 403):
            raise NoSuch(f"{missing}, or {image.registry} does not show it: {self._why_not(image)}")
        if answer.status != 200 and not (answer.status in _REDIRECTS and path.startswith("blobs/")):
            raise Unreachable(f"it answers {answer.status}")
        return answer

    def _why_not(self, image: Image) -> str:
        return "the credentials are refused" if self._basic else f"there is no parameter registries/{image.registry}"

    def _fetch_token(self, challenge: str) -> str:
        """Return what to send as authorization: a token of the registry's own service, or the credentials."""
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = urlsplit(asked.get("realm", ""))
        if not challenge.lower().startswith("bearer"):
            return self._basic or "Basic Og=="
        if realm.scheme != self._scheme or realm.netloc not in self._token_hosts:
            raise Unreachable(f"it sends clients to {realm.netloc or 'nowhere'} for tokens, which is not its own")
        query = urlencode({name: asked[name] for name in ("service", "scope") if name in asked})
        headers = {"Authorization": self._basic} if self._basic else {}
        answer = ask(f"{realm.scheme}://{realm.netloc}{realm.path}?{query}", headers=headers)
        if answer.status != 200:
            return self._basic or "Basic Og=="
        told = answer.json()
        return f"Bearer {told.get('token') or told.get('access_token') or ''}"


class DockerHub(HttpRegistry):
    """Docker Hub, which tells in an API of its own when public tags were pushed.

    Args:
        credentials: ``user:password``, None for none.
        api: the host of its registry.
        site: the host of its own API.
        scheme: ``http`` in tests.
    """

    def __init__(
        self, credentials: str | None, api: str = _HUB_API, site: str = _HUB_SITE, scheme: str = "https"
    ) -> None:
        super().__init__(api, credentials, scheme, _HUB_TOKENS)
        self._site = f"{scheme}://{site}"

    def tags(self, image: Image, *, dated: bool) -> list[Tag]:
        """Return all tags; if their times are wanted, the newest hundred with the times of their pushes."""
        return (self._pushed(image) if dated else []) or super().tags(image, dated=dated)

    def _pushed(self, image: Image) -> list[Tag]:
        namespace, _, name = image.repository.partition("/")
        path = f"/v2/namespaces/{namespace}/repositories/{name}/tags?page_size=100&ordering=last_updated"
        answer = ask(self._site + path)
        told = answer.json().get("results", []) if answer.status == 200 else []
        return [Tag(str(one["name"]), _time(one.get("tag_last_pushed"))) for one in told]


def _time(told: object) -> datetime:
    """Read a time of a registry, which has fractions of any length; long ago if there is none."""
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(told))
    return datetime.fromisoformat(found[0]).replace(tzinfo=UTC) if found else datetime.min.replace(tzinfo=UTC)
