"""The world map as it is stored, and how it is made."""

from __future__ import annotations

import json
import re

import pytest

from tools import provinces
from tools.provinces import PROVINCES, plain_name, simplified
from tools.world import TARGET, WIDTH, Degrees, Point, area, cut, path, place

MOST_BYTES = 60_000
MOST_BYTES_OF_PROVINCES = 15_000
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


LINES: list[tuple[str, list[Point], list[Point]]] = [  # id, line, what is left of it with a tolerance of 2
    ("straight", [(0, 0), (5, 1), (10, 0)], [(0, 0), (10, 0)]),
    ("corner", [(0, 0), (5, 9), (10, 0)], [(0, 0), (5, 9), (10, 0)]),
    ("closed", [(0, 0), (9, 0), (9, 9), (0, 0)], [(0, 0), (9, 0), (9, 9), (0, 0)]),
    ("short", [(0, 0), (1, 0)], [(0, 0), (1, 0)]),
]


@pytest.mark.parametrize(("line", "expected"), [case[1:] for case in LINES], ids=[case[0] for case in LINES])
def test_lines_are_simplified(line: list[Point], expected: list[Point]) -> None:
    assert simplified(line, 2) == expected


def test_the_stored_provinces_are_all_of_korea_where_it_is_on_the_world_map() -> None:
    assert provinces.TARGET.stat().st_size < MOST_BYTES_OF_PROVINCES
    stored = json.loads(provinces.TARGET.read_text("utf-8"))
    assert {found["code"] for found in stored["provinces"]} == {code for code, *_ in PROVINCES}
    assert len(PROVINCES) == 17
    first = {found["code"]: re.match(r"M(\d+) (\d+)l", found["d"]) for found in stored["provinces"]}
    seoul = first["KR-11"]
    assert seoul is not None
    expected = place(126.9, 37.5)
    assert all(abs(int(at) * stored["scale"] - of) < 3 for at, of in zip(seoul.groups(), expected, strict=True))


NAMES = [  # what databases of addresses call a province, its code
    ("Seoul", "KR-11"),
    ("11", "KR-11"),
    ("KR-11", "KR-11"),
    ("서울특별시", "KR-11"),
    ("Gyeonggi-do", "KR-41"),
    ("Jeollabuk-do", "KR-45"),
    ("North Jeolla Province", "KR-45"),
    ("Ch'ungch'ŏng-bukto", ""),
    ("Jeju-do", "KR-49"),
]


@pytest.mark.parametrize(("name", "code"), NAMES, ids=[name for name, _ in NAMES])
def test_names_of_provinces(name: str, code: str) -> None:
    stored = json.loads(provinces.TARGET.read_text("utf-8"))["provinces"]
    assert [found["code"] for found in stored if plain_name(name) in found["also"]] == ([code] if code else [])
