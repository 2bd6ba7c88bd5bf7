from __future__ import annotations

import json

from auto_lambda_cli.local_stack.emulator.custom_domains import with_tags


def test_tags_that_are_kept_elsewhere_are_told() -> None:
    told = json.loads(with_tags(b'{"domainName": "shop", "tags": {"a": "1"}}', {"b": "2"}))
    assert told == {"domainName": "shop", "tags": {"a": "1", "b": "2"}}
    assert json.loads(with_tags(b'{"domainName": "shop"}', {})) == {"domainName": "shop", "tags": {}}
