from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.emulator.object_ranges import part_of


@given(st.binary(min_size=1, max_size=50), st.data())
def test_parts_are_the_body_again_and_carry_no_checksum_of_the_whole(body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body) - 1))
    whole = {"ETag": "e", "Content-Length": str(len(body)), "x-amz-checksum-crc32": "c", "X-Amz-Checksum-Type": "t"}
    parts = [part_of(whole, body, 0, cut)]
    if cut + 1 < len(body):
        parts.append(part_of(whole, body, cut + 1, len(body) - 1))
    assert b"".join(part for _, _, part in parts) == body
    for status, headers, part in parts:
        assert (status, headers["Content-Length"], headers["ETag"]) == (206, str(len(part)), "e")
        assert headers["Content-Range"].endswith(f"/{len(body)}")
        assert not [name for name in headers if "checksum" in name.lower()]
