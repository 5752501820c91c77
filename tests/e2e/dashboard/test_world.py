"""The world map as it is stored, and how it is made."""

from __future__ import annotations

import json
import re

import pytest

from tools.world import TARGET, WIDTH, Degrees, Point, area, cut, path, place

MOST_BYTES = 60_000
SEEN = ["KR", "US", "JP", "RU", "FJ", "XK", "SG", "HK", "MT"]
RINGS: list[tuple[str, list[Degrees], list[list[float]]]] = [  # id, ring, how far its parts reach, west to east
    ("whole", [(10, 0), (20, 0), (20, 10)], [[10, 20]]),
    ("at_the_border", [(170, 0), (180, 0), (180, 10)], [[170, 180]]),
    ("over_it", [(170, 0), (-170, 0), (-170, 10), (170, 10)], [[-180, -170], [170, 180]]),
    ("from_the_west", [(-170, 0), (170, 0), (170, 10), (-170, 10)], [[-180, -170], [170, 180]]),
]


@pytest.mark.parametrize(("ring", "expected"), [case[1:] for case in RINGS], ids=[case[0] for case in RINGS])
def test_rings_are_cut_at_the_180th_meridian(ring: list[Degrees], expected: list[list[float]]) -> None:
    parts = [[min(x for x, _ in part), max(x for x, _ in part)] for part in cut(ring)]
    assert sorted(parts) == expected


def test_a_path_is_its_ring() -> None:
    ring: list[Point] = [(10, 10), (20, 10), (20, 5), (10, 5)]
    assert path([ring]) == "M10 10l10 0 0-5-10 0z"
    assert area(ring) == 50


def test_the_stored_map_is_small_and_has_every_country_once() -> None:
    assert TARGET.stat().st_size < MOST_BYTES
    world = json.loads(TARGET.read_text("utf-8"))
    codes = world["shapes"].keys() | world["dots"].keys()
    assert codes.issuperset(SEEN)
    assert len(codes) == len(world["shapes"]) + len(world["dots"]) > 200
    assert all(re.fullmatch("[A-Z]{2}", code) for code in codes)
    assert all(re.fullmatch(r"(M\d+ \d+l[-\d ]+z)+", shape) for shape in world["shapes"].values())


def test_places_are_where_they_belong() -> None:
    assert place(0, 0)[0] == WIDTH / 2
    seoul = place(127, 37.5)
    shape = json.loads(TARGET.read_text("utf-8"))["shapes"]["KR"]
    x, y = map(int, re.findall(r"\d+", shape)[:2])
    assert abs(x - seoul[0]) < 15
    assert abs(y - seoul[1]) < 25
