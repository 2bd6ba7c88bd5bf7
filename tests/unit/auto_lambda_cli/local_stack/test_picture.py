from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.picture import Panel, svg

SVG = "{http://www.w3.org/2000/svg}"


@given(st.lists(st.lists(st.floats(0, 1e6), max_size=30), min_size=1, max_size=3))
def test_every_line_is_drawn_within_the_picture(lines: list[list[float]]) -> None:
    tree = ET.fromstring(svg("all <of> it", [Panel("a & b", [("x", one) for one in lines])]))
    _, _, width, height = (float(one) for one in tree.attrib["viewBox"].split())
    drawn = tree.findall(f"{SVG}polyline")
    assert len(drawn) == len(lines)
    for line, values in zip(drawn, lines, strict=True):
        points = [tuple(map(float, one.split(","))) for one in line.attrib["points"].split()]
        assert len(points) == len(values)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_the_highest_value_is_at_the_top_and_named() -> None:
    drawn = svg("t", [Panel("p", [("x", [0.0, 10.0, 5.0])])])
    heights = [float(y) for y in re.findall(r"[\d.]+,([\d.]+)", drawn)]
    assert heights[1] < heights[2] < heights[0]
    assert ">10<" in drawn


def test_values_can_have_names() -> None:
    drawn = svg("t", [Panel("phase", [("", [0.0, 2.0])], ("lambda", "both", "fargate"))])
    assert [name in drawn for name in ("lambda", "both", "fargate")] == [True] * 3
