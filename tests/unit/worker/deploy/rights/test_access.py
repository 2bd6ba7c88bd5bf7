"""What an app may reach, as the platform team's files say it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from auto_lambda.aws.s3 import ObjectMissing
from auto_lambda.keys import App
from worker.deploy.gate.access import Rights
from worker.deploy.rights.access import AccessReader, Boundaries, UnreadableGrants

SHOP = App("prod", "shop")
OWN, GRANTED, PLATFORM, THEIRS = (
    f"arn:aws:iam::123456789012:policy/{name}" for name in ("Own", "Granted", "Platform", "Theirs")
)
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:jobs"


@dataclass
class Files:
    """The artifacts bucket."""

    there: dict[str, str] = field(default_factory=dict)

    def get_start(self, bucket: str, key: str, at_most: int) -> bytes:
        assert bucket == "artifacts"
        if key not in self.there:
            raise ObjectMissing(key)
        return self.there[key].encode()[:at_most]


def reader(there: dict[str, str] | None = None, rights: Rights = "granted") -> AccessReader:
    files = Files({f"grants/{name}.json": text for name, text in (there or {}).items()})
    return AccessReader(files, "artifacts", rights, Boundaries(OWN, GRANTED, PLATFORM))  # type: ignore[arg-type]


def test_without_files_nothing_is_granted() -> None:
    access = reader().access(SHOP)
    assert (access.app, access.rights, access.boundary_arn) == (SHOP, "granted", OWN)
    assert access.grants.queues == ()


def test_the_app_and_its_stage_grant_together_and_no_other_file_does() -> None:
    files = {"prod/shop": '{"layers": ["arn:l"]}', "prod/default": '{"subnets": ["subnet-1"]}'}
    access = reader(files | dict.fromkeys(["qa/shop", "prod/other"], '{"keys": ["arn:k"]}')).access(SHOP)
    assert (access.grants.layers, access.grants.subnets, access.grants.keys) == (("arn:l",), ("subnet-1",), ())


@pytest.mark.parametrize("file", ["prod/shop", "prod/default"])
@pytest.mark.parametrize(
    "text", ["{", '{"subnet": ["subnet-1"]}', "[]", '{"quotas": {"functons": 9}}', '{"queues": "*"}', " " * 400_000]
)
def test_a_file_with_a_mistake_is_ours_and_names_the_file(file: str, text: str) -> None:
    with pytest.raises(UnreadableGrants, match=f"grants/{file}.json"):
        reader({file: text}).access(SHOP)


def test_the_boundary_follows_what_is_granted() -> None:
    granted = f'{{"queues": ["{QUEUE}"]}}'
    assert reader({"prod/shop": granted}).access(SHOP).boundary_arn == GRANTED
    assert reader({"prod/shop": granted}, "account").access(SHOP).boundary_arn == OWN
    assert reader({"prod/shop": '{"subnets": ["subnet-1"]}'}).access(SHOP).boundary_arn == OWN
    assert reader().access(App("platform", "shop")).boundary_arn == PLATFORM
    named = json.dumps({"boundary": THEIRS})
    assert reader({"platform/shop": named}).access(App("platform", "shop")).boundary_arn == THEIRS


def test_an_approval_says_who_and_when() -> None:
    text = json.dumps({"by": "arn:aws:sts::1:assumed-role/platform/ana", "when": "2026-01-02T12:00:00+00:00"})
    approvals = reader({"prod/shop.approvals/ab12": text})
    assert approvals.approved(SHOP, "ab12") == (
        "approved by arn:aws:sts::1:assumed-role/platform/ana at 2026-01-02T12:00:00+00:00"
    )
    assert approvals.approved(SHOP, "ab13") is None
    assert approvals.approved(App("prod", "shop2"), "ab12") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_an_approval_that_cannot_be_read_approves_nothing(text: str) -> None:
    with pytest.raises(UnreadableGrants):
        reader({"prod/shop.approvals/ab12": text}).approved(SHOP, "ab12")
