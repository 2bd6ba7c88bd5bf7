import pytest

from auto_lambda.grants import BadGrants, Grants, default_key, grants_key
from auto_lambda.keys import App


def test_keys_lie_below_the_stage() -> None:
    assert grants_key(App("prod", "shop")) == "grants/prod/shop.json"
    assert default_key("prod") == "grants/prod/default.json"


def test_an_app_has_its_own_grants_and_those_of_its_stage() -> None:
    stage = Grants(subnets=("subnet-1",), boundary="arn:stage", quotas={"functions": 5, "roles": 2})
    app = Grants(subnets=("subnet-1", "subnet-2"), quotas={"functions": 9})
    assert app.with_default(stage) == Grants(
        subnets=("subnet-1", "subnet-2"), boundary="arn:stage", quotas={"functions": 9, "roles": 2}
    )
    assert Grants(boundary="arn:own").with_default(stage).boundary == "arn:own"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"statements": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}', "statements"),
        ('{"statements": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}', "statements"),
        ('{"statements": [{"Effect": "Allow", "Action": "s3:*"}]}', "statements"),
        ('{"statements": [{"Effect": "Allow", "Action": "s3:*", "Resource": {"Ref": "X"}}]}', "statements"),
        ('{"approve": "everything"}', "approve"),
        ('{"buckets": ["***"]}', "hides"),
        (" " * 300_000, "larger"),
        ("{", "the file"),
        ('{"subnet": []}', "subnet"),
        ('{"subnets": "x"}', "subnets"),
        ('{"quotas": {"a": "b"}}', "a"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(BadGrants, match=named):
        Grants.read(text)
