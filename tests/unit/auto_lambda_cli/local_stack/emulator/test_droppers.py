from __future__ import annotations

import os
import pwd
from typing import Any

import pytest

from auto_lambda_cli.local_stack.emulator.droppers import local_user, naming


def test_an_event_names_the_user_beside_what_else_it_says() -> None:
    fired: list[Any] = []
    fire = naming(lambda *given, **more: fired.append((given, more)), "ana")
    fire("uploads", "apps/a.zip", size=3)
    fire("uploads", "apps/b.zip", record_extra={"glacier": 1})
    assert fired == [
        (("uploads", "apps/a.zip"), {"size": 3, "record_extra": {"userIdentity": {"principalId": "ana"}}}),
        (("uploads", "apps/b.zip"), {"record_extra": {"userIdentity": {"principalId": "ana"}, "glacier": 1}}),
    ]


def test_a_user_without_a_name_is_known_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_user() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 4_294_000_000)
    assert local_user() == "user 4294000000"
