from __future__ import annotations

from auto_lambda_cli.local_stack.emulator.topic_events import record_of

FIELDS = {
    "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
    "SigningCertUrl", "UnsubscribeUrl", "MessageAttributes",
}  # fmt: skip
"""Of the example in Lambda's developer guide, "Using Lambda with Amazon SNS"."""

BARE = {
    "Type": "Notification", "MessageId": "1", "TopicArn": "arn", "Message": "m", "Timestamp": "t",
    "SignatureVersion": "1", "Signature": "s", "SigningCertURL": "https://cert", "UnsubscribeURL": "https://end",
}  # fmt: skip


def test_a_message_without_subject_and_attributes_has_the_fields_of_every_other() -> None:
    record = record_of(BARE)
    assert record.keys() == FIELDS
    assert (record["Subject"], record["MessageAttributes"], record["SigningCertUrl"]) == (None, {}, "https://cert")


def test_what_a_message_has_stays() -> None:
    kinds = {"kind": {"Type": "String", "Value": "any"}}
    record = record_of({**BARE, "Subject": "news", "MessageAttributes": kinds})
    assert (record["Subject"], record["MessageAttributes"], record["Message"]) == ("news", kinds, "m")
