"""Lets a range of an object's version be read: the emulator would answer with the whole of it."""

from __future__ import annotations

from typing import Any


def patch() -> None:
    """Honour `Range` beside `versionId`, as S3 does."""
    from ministack.services import s3  # type: ignore[import-not-found,unused-ignore]

    read = s3._get_object

    def get_object(bucket: str, key: str, headers: dict[str, str], query_params: Any = None) -> Any:
        status, answer, body = read(bucket, key, headers, query_params)
        asked = headers.get("range")
        if status != 200 or not asked:
            return status, answer, body
        found = s3._parse_range(asked, len(body))
        if found is None:
            return 416, {"Content-Range": f"bytes */{len(body)}"}, b""
        return part_of(answer, body, *found)

    s3._get_object = get_object


def part_of(headers: dict[str, str], body: bytes, first: int, last: int) -> tuple[int, dict[str, str], bytes]:
    """Return the answer with a part of a body; checksums of the whole body would not match it."""
    kept = {name: value for name, value in headers.items() if not name.lower().startswith("x-amz-checksum-")}
    part = body[first : last + 1]
    length = {"Content-Length": str(len(part)), "Content-Range": f"bytes {first}-{last}/{len(body)}"}
    return 206, {**kept, **length}, part
