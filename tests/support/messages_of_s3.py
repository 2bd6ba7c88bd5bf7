"""What S3 writes into the queue about the app `SHOP`."""

from __future__ import annotations

import json
from typing import Any

from auto_lambda.keys import App

BUCKET = "drops"
SHOP = App("prod", "shop")


def record(key: str = "apps/prod/shop.zip", event: str = "ObjectCreated:Put", **more: Any) -> dict[str, Any]:
    """Return one record of a notification."""
    return {"eventName": event, "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, **more}}}


def body(*records: Any) -> str:
    """Return a notification."""
    return json.dumps({"Records": list(records)})
