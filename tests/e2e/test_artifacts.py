"""What workers keep for each other in the artifacts bucket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from e2e_stack import Drop, Stack

from auto_lambda.aws.s3 import ObjectStore


def artifacts_bucket(stack: Stack) -> str:
    """The bucket that a live function's code comes from."""
    buckets: list[str] = [one["Name"] for one in stack.s3.list_buckets()["Buckets"]]
    return next(name for name in buckets if "artifacts" in name)


def test_of_all_that_store_a_new_object_at_once_one_does(stack: Stack) -> None:
    store, bucket = ObjectStore(stack.s3), artifacts_bucket(stack)

    def put(number: int) -> bool:
        return store.put_new(bucket, "wheels/tried/record.json", b"%d" % number, "application/json")

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, first in enumerate(pool.map(put, range(8))) if first]
    assert [b"%d" % number for number in won] == [store.get(bucket, "wheels/tried/record.json")]


def test_the_lock_lies_beside_the_bundle(stack: Stack, drops: dict[str, Drop]) -> None:
    receipt = stack.live(drops["statistics"])
    assert "pandas==" in stack.log(drops["statistics"])
    template = stack.client("cloudformation").get_template(StackName=f"al-{receipt['app']}-{receipt['stage']}")
    lock = stack.s3.get_object(
        Bucket=artifacts_bucket(stack), Key=template["TemplateBody"]["Metadata"]["AutoLambda"]["Lock"]
    )
    text = lock["Body"].read().decode()
    assert "pandas==" in text
    assert "--hash=sha256:" in text
