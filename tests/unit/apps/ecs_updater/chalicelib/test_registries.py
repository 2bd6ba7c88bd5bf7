"""Registries are asked by their own addresses alone, against a registry on the loopback address and moto's ECR."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from ecs_updater.chalicelib.images import Follow
from ecs_updater.chalicelib.model import Target, Unknown
from ecs_updater.chalicelib.registries import DockerHub, Registries, Remembering
from moto import mock_aws

from auto_lambda_cli.local_stack.registry import RegistryServer, serving


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with serving(RegistryServer()) as server:
        yield server


def resolve(registry: RegistryServer, name: str, credentials: str | None = None) -> Target | Unknown:
    registries = Registries(lambda _: credentials, plain={registry.host})
    return registries.resolve(Follow.parse(f"{registry.host}/{name}"))


def why(found: Target | Unknown) -> str:
    assert isinstance(found, Unknown)
    return found.why


def test_a_tag_has_the_digest_of_what_it_holds_now(registry: RegistryServer) -> None:
    first = registry.push("acme/shop", "latest")
    assert resolve(registry, "acme/shop:latest") == Target("latest", first)
    second = registry.push("acme/shop", "latest")
    assert resolve(registry, "acme/shop:latest") == Target("latest", second) != Target("latest", first)
    assert registry.asked == ["HEAD /v2/acme/shop/manifests/latest"] * 2, "nothing is downloaded"


def test_a_range_has_the_highest_release_over_all_pages(registry: RegistryServer) -> None:
    registry.page = 2
    digests = {tag: registry.push("acme/shop", tag) for tag in ("1.9.0", "1.10.0", "1.2.0", "2.0.0", "latest")}
    assert resolve(registry, "acme/shop:1.x") == Target("1.10.0", digests["1.10.0"])
    assert len([line for line in registry.asked if "tags/list" in line]) == 3, "the next page is asked of the same host"


def test_any_has_the_newest_build(registry: RegistryServer) -> None:
    registry.push("acme/shop", "b", "2026-11-28T10:00:00Z")
    digest = registry.push("acme/shop", "a", "2026-11-28T11:00:00Z", architectures=2)
    registry.push("acme/shop", "latest", "2026-11-28T12:00:00Z")
    found = resolve(registry, "acme/shop:any")
    assert isinstance(found, Target)
    assert (found.tag, found.digest, str(found.pushed)) == ("a", digest, "2026-11-28 11:00:00+00:00")


def test_a_blob_is_followed_to_where_it_is_stored_without_credentials(registry: RegistryServer) -> None:
    registry.user = "me:secret"
    registry.push("acme/shop", "a", "2026-11-28T11:00:00Z")
    with serving(RegistryServer()) as store:
        store.blobs, registry.elsewhere = registry.blobs, f"http://{store.host}"
        assert isinstance(resolve(registry, "acme/shop:any", "me:secret"), Target)
        assert [line.split("/")[-2] for line in store.asked] == ["blobs"]
        forged = {digest: (media, data + b" ") for digest, (media, data) in registry.blobs.items()}
        store.blobs = forged
        assert "does not hand out the configuration" in why(resolve(registry, "acme/shop:any", "me:secret"))
    registry.elsewhere = "file:///etc/passwd?"
    assert "does not hand out the configuration" in why(resolve(registry, "acme/shop:any", "me:secret"))


def test_docker_hub_tells_when_tags_were_pushed(registry: RegistryServer) -> None:
    digests = {tag: registry.push("acme/shop", tag, "2026-01-01T00:00:00Z") for tag in ("a", "b")}
    registry.pushed = {
        "b": "2026-11-28T10:00:00.123456Z",
        "a": "2026-11-28T11:00:00Z",
        "latest": "2026-11-28T12:00:00Z",
    }
    hub = DockerHub(None, registry.host, registry.host, "http")
    follow = Follow.parse("acme/shop:any")
    newest = follow.choose(hub.tags(follow.image, dated=True))
    assert newest
    assert (newest.name, hub.digest(follow.image, newest.name)) == ("a", digests["a"])
    registry.pushed = {}
    assert {tag.name for tag in hub.tags(follow.image, dated=True)} == {"a", "b"}, "of a private one the builds count"
    assert {tag.name for tag in hub.tags(follow.image, dated=False)} == {"a", "b"}


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"[]",
        b"7",
        b'{"tags": 7}',
        b'{"tags": [7]}',
        b'{"manifests": [7]}',
        b'{"config": 7}',
        b"\xff",
        b"null",
        b"[" * 30_000,
    ],
)
@pytest.mark.parametrize("pattern", ["latest", "x", "any"])
def test_whatever_a_registry_answers_it_is_late_or_unknown(registry: RegistryServer, odd: bytes, pattern: str) -> None:
    registry.odd = odd
    assert isinstance(resolve(registry, f"acme/shop:{pattern}"), Unknown)


def test_an_image_for_several_architectures_has_the_digest_of_all_of_them(registry: RegistryServer) -> None:
    digest = registry.push("acme/shop", "1", architectures=3)
    assert resolve(registry, "acme/shop:1") == Target("1", digest)


def test_a_token_is_fetched_where_the_registry_says_if_that_is_its_own(registry: RegistryServer) -> None:
    registry.user = ""
    digest = registry.push("acme/shop", "1")
    assert resolve(registry, "acme/shop:1") == Target("1", digest)
    registry.user = "me:secret"
    assert resolve(registry, "acme/shop:1", "me:secret") == Target("1", digest)
    assert "the credentials are refused" in why(resolve(registry, "acme/shop:1", "me:wrong"))
    assert f"no parameter registries/{registry.host}" in why(resolve(registry, "acme/shop:1"))


@pytest.mark.parametrize("realm", ["http://127.0.0.1:9/token", "http://example.com/token", "file:///etc/passwd", ""])
def test_credentials_go_nowhere_else(registry: RegistryServer, realm: str) -> None:
    registry.user, registry.realm = "me:secret", realm or "nowhere"
    registry.push("acme/shop", "1")
    found = resolve(registry, "acme/shop:1", "me:secret")
    assert "which is not its own" in why(found)


def test_tokens_of_another_host_are_fetched_if_that_was_said(registry: RegistryServer) -> None:
    digest = registry.push("acme/shop", "1")
    with serving(RegistryServer(user="me:secret")) as gitlab:
        registry.user, registry.realm = "me:secret", f"http://{gitlab.host}/token"
        follow = Follow.parse(f"{registry.host}/acme/shop:1")
        hosts = {registry.host: gitlab.host}
        found = Registries(lambda _: "me:secret", plain={registry.host}, token_hosts=hosts).resolve(follow)
        assert found == Target("1", digest)
        assert "which is not its own" in why(Registries(lambda _: "me:secret", plain={registry.host}).resolve(follow))


def test_credentials_that_cannot_be_read_are_late() -> None:
    def refused(_: str) -> str:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParametersByPath")

    found = Registries(refused).resolve(Follow.parse("acme/shop:1"))
    assert isinstance(found, Unknown)
    assert (found.late, "AccessDenied" in found.why) == (True, True)


def test_what_does_not_exist_is_named(registry: RegistryServer) -> None:
    assert "there is no image" in why(resolve(registry, "acme/shop:1.x"))
    registry.push("acme/shop", "1.0.0")
    assert "has no tag 2.0.0" in why(resolve(registry, "acme/shop:2.0.0"))
    assert "no tag of" in why(resolve(registry, "acme/shop:3.x"))


def test_too_many_tags_to_ask_their_age_is_said(registry: RegistryServer) -> None:
    for number in range(51):
        registry.push("acme/shop", f"build-{number}")
    assert "51 tags, too many" in why(resolve(registry, "acme/shop:any"))


@pytest.mark.parametrize("status", [429, 500, 503, 302])
def test_a_registry_in_trouble_is_late_and_redirects_are_not_followed(registry: RegistryServer, status: int) -> None:
    registry.push("acme/shop", "1")
    registry.status = status
    found = resolve(registry, "acme/shop:1")
    assert isinstance(found, Unknown)
    assert found.late
    assert f"it answers {status}" in found.why


def test_a_registry_that_is_gone_is_late() -> None:
    with serving(RegistryServer()) as server:
        pass
    found = resolve(server, "acme/shop:1")
    assert isinstance(found, Unknown)
    assert found.late


def test_only_the_registry_in_the_service_s_tag_is_asked_without_tls_and_only_if_that_was_said() -> None:
    with serving(RegistryServer()) as server:
        server.push("acme/shop", "1")
        found = Registries(lambda _: None).resolve(Follow.parse(f"{server.host}/acme/shop:1"))
        assert isinstance(found, Unknown)
        assert server.asked == []


def test_what_a_registry_said_is_remembered_until_something_is_pushed(registry: RegistryServer) -> None:
    now = 0.0
    remembering = Remembering(Registries(lambda _: None, plain={registry.host}), 300, lambda: now)
    follow = Follow.parse(f"{registry.host}/acme/shop:1")
    assert isinstance(remembering.resolve(follow), Unknown)
    first = registry.push("acme/shop", "1")
    assert remembering.resolve(follow) == Target("1", first), "what is unknown is asked again"
    second = registry.push("acme/shop", "1")
    assert remembering.resolve(follow) == Target("1", first)
    remembering.forget()
    assert remembering.resolve(follow) == Target("1", second)
    third = registry.push("acme/shop", "1")
    now = 301.0
    assert remembering.resolve(follow) == Target("1", third)


# -------------------------------------------------------------------------------------------------- ECR

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def test_ecr_is_asked_in_the_region_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        ecr = boto3.client("ecr", "eu-west-1")
        ecr.create_repository(repositoryName="acme/shop")
        manifests = {tag: push_to_ecr(ecr, tag) for tag in ("1.0.0", "1.1.0", "latest")}
        registries = Registries(lambda _: None, lambda region: boto3.client("ecr", region))

        def found(name: str) -> Target | Unknown:
            return registries.resolve(Follow.parse(f"{HOST}/{name}"))

        ranged = found("acme/shop:1.x")
        assert isinstance(ranged, Target)
        assert (ranged.tag, ranged.digest) == ("1.1.0", manifests["1.1.0"])
        assert ranged.pushed
        assert found("acme/shop:latest") == Target("latest", manifests["latest"])
        assert "has no tag 9" in why(found("acme/shop:9"))
        assert "there is no image" in why(found("acme/blog:9"))


def push_to_ecr(ecr: object, tag: str) -> str:
    layer = {
        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "size": 1,
        "digest": f"sha256:{'a' * 64}",
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": f"sha256:{tag}"},
        "layers": [layer],
    }
    put = ecr.put_image  # type: ignore[attr-defined]
    told = put(repositoryName="acme/shop", imageTag=tag, imageManifest=json.dumps(manifest))
    return str(told["image"]["imageId"]["imageDigest"])
