"""What is an app's own, and what is granted to it."""

from __future__ import annotations

import pytest
from drafts import SURROUNDINGS

from auto_lambda.grants import Grants
from auto_lambda.keys import App
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.template import TemplateView

SHOP = App("dev", "shop")


@pytest.mark.parametrize("granted", ["pictures", "arn:aws:s3:::pictures", "pict*"])
@pytest.mark.parametrize("named", ["pictures", "arn:aws:s3:::pictures"])
def test_a_bucket_is_granted_by_name_and_named_by_its_arn_as_well(granted: str, named: str) -> None:
    """Notifications have its name, the permission to call the function has its ARN."""
    space = Namespace(AppAccess(SHOP, Grants(buckets=(granted,)), "granted"), SURROUNDINGS, TemplateView({}))
    assert space.may_point_at(named, ("buckets",))
    assert space.may_point_at(f"{named}-of-others", ("buckets",)) == (granted == "pict*")
    assert not space.may_point_at(SURROUNDINGS.artifacts_bucket, ("buckets",))


@pytest.mark.parametrize(
    ("bucket", "own"),
    [
        ("al-shop-dev-123456789012", True),
        ("shop-dev", False),
        ("shop-dev-123456789012", False),
        ("al-shop-dev-123456789012-next", False),
        ("al-shop-dev-999999999999", False),
        ("al-shop-dev", False),
    ],
)
@pytest.mark.parametrize("form", ["{}", "arn:aws:s3:::{}"])
def test_one_bucket_is_the_apps_own(form: str, bucket: str, own: bool) -> None:
    space = Namespace(AppAccess(SHOP, Grants(), "granted"), SURROUNDINGS, TemplateView({}))
    assert space.account == "123456789012"
    assert space.may_point_at(form.format(bucket), ("buckets",)) == own
