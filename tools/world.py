"""Writes ``ingestd/web/static/world.json``, the world map of the dashboard.

    python -m tools.world

The outlines are Natural Earth's "Admin 0 - countries", which is in the public domain; they are taken, as TopoJSON,
from the npm package ``world-atlas``: 1:110m for the shapes, and 1:50m for the places of the countries that are too
small to be in the former. Country codes (ISO 3166-1) are facts, taken from the npm package ``i18n-iso-countries``.
The answer has

    width, height   of the map, in the units of its paths (SVG's ``viewBox``)
    shapes          {"KR": "M...z"}: SVG paths by ISO 3166-1 alpha-2 code
    dots            {"SG": [x, y]}: the middle of a country that is too small for a shape
    rest            path of what has no code of its own

The projection is Natural Earth I (Savric, Patterson, Jenny 2011, "The Natural Earth projection", polynomials of
equation 1), cut below 58 degrees south: Antarctica sends no visitors worth its space.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "ingestd" / "web" / "static" / "world.json"
ATLAS, CODES = "world-atlas@2.0.2", "i18n-iso-countries@7.14.0"

WIDTH = 2000
"""Units of the map from west to east: 0.18 degrees each, so that whole numbers are exact enough."""
NORTH, SOUTH = 84.0, -58.0
LEAST_AREA = 5.0
"""Islands below this, in square units, are left out unless they are all that a country has."""

WITHOUT_NUMBER = {"Kosovo": "XK", "N. Cyprus": "CY", "Somaliland": "SO"}
"""Where addresses in these places are counted by databases of addresses; ISO has no number for them."""

Point = tuple[int, int]
Degrees = tuple[float, float]
"""Longitude and latitude."""
Ring = list[Point]


def project(longitude: float, latitude: float) -> tuple[float, float]:
    """Return x and y of a place in degrees; y grows to the north, both in radians at the middle of the map."""
    lam, phi = math.radians(longitude), math.radians(latitude)
    p2 = phi * phi
    p4, p10 = p2 * p2, p2**5
    x = lam * (0.8707 - 0.131979 * p2 - 0.013791 * p4 + 0.003971 * p10 - 0.001529 * p10 * p2)
    y = phi * (1.007226 + 0.015085 * p2 - 0.044475 * p2 * p4 + 0.028874 * p4 * p4 - 0.005916 * p10)
    return x, y


_SCALE = WIDTH / (2 * project(180, 0)[0])
_TOP = project(0, NORTH)[1]
HEIGHT = math.ceil((_TOP - project(0, SOUTH)[1]) * _SCALE)


def place(longitude: float, latitude: float, finer: int = 1) -> Point:
    """Return the point of the map for a place in degrees; ``finer``: parts of a unit in which it is given."""
    x, y = project(longitude, min(max(latitude, SOUTH), NORTH))
    return round(finer * (WIDTH / 2 + x * _SCALE)), round(finer * (_TOP - y) * _SCALE)


def outlines(topology: dict[str, Any], geometry: dict[str, Any]) -> Iterator[Ring]:
    """Yield the rings of a TopoJSON polygon or multi-polygon on the map, without its holes.

    A hole is a country of its own here (Lesotho, San Marino), which is drawn above.
    """
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    for outer, *_holes in polygons:
        degrees: list[Degrees] = []
        for arc in outer:
            points = list(decoded(topology, arc if arc >= 0 else ~arc))
            degrees += points if arc >= 0 else reversed(points)
        for part in cut(degrees):
            ring = [place(*point) for point in part]
            yield [point for previous, point in zip([ring[-1], *ring], ring, strict=False) if point != previous]


def decoded(topology: dict[str, Any], number: int) -> Iterator[Degrees]:
    """Yield the points of an arc of a TopoJSON topology."""
    # TopoJSON's specification, 2.1.3: positions are differences, in steps of the transform.
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    x = y = 0
    for dx, dy in topology["arcs"][number]:
        x, y = x + dx, y + dy
        yield x * sx + tx, y * sy + ty


def cut(ring: list[Degrees]) -> Iterator[list[Degrees]]:
    """Yield the parts of a ring that lie on either side of the 180th meridian (Russia, Fiji)."""
    whole = [ring[0]]
    for longitude, latitude in ring[1:]:
        turns = round((whole[-1][0] - longitude) / 360)  # of two ways around the world, the short one
        whole.append((longitude + 360 * turns, latitude))
    for turn in (-360, 0, 360):
        part = _west_of(whole, turn + 180.0)
        part = _west_of([(-x, y) for x, y in part], 180.0 - turn)
        if len({x for x, _ in part}) > 1:  # a ring that only touches the border has no part beyond it
            yield [(-x - turn, y) for x, y in part]


def _west_of(ring: list[Degrees], border: float) -> list[Degrees]:
    # Sutherland and Hodgman's clipping, by one line.
    kept: list[Degrees] = []
    for (x1, y1), (x2, y2) in zip([ring[-1], *ring] if ring else [], ring, strict=False):
        if (x1 <= border) != (x2 <= border):
            kept.append((border, y1 + (y2 - y1) * (border - x1) / (x2 - x1)))
        if x2 <= border:
            kept.append((x2, y2))
    return kept


def area(ring: Ring) -> float:
    """Return what a ring encloses, in square units."""
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True))) / 2


def path(rings: list[Ring]) -> str:
    """Return SVG path data: every ring begins absolute, continues in differences, and is closed."""
    text = ""
    for ring in rings:
        (x, y), *others = ring
        text += f"M{x} {y}l"
        steps = []
        for nx, ny in others:
            steps.append(f"{nx - x} {ny - y}")
            x, y = nx, ny
        text += " ".join(steps) + "z"
    return text.replace(" -", "-")


def countries(topology: dict[str, Any], codes: dict[str, str]) -> dict[str, list[Ring]]:
    """Return the rings by alpha-2 code, the largest first; under ``""`` those of places without a code."""
    found: dict[str, list[Ring]] = {}
    for geometry in topology["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        code = codes.get(geometry.get("id", ""), "") or WITHOUT_NUMBER.get(name, "")
        if code != "AQ":
            found.setdefault(code, []).extend(ring for ring in outlines(topology, geometry) if len(ring) > 2)
    return {code: sorted(rings, key=area, reverse=True) for code, rings in found.items()}


def world(coarse: dict[str, Any], fine: dict[str, Any], codes: dict[str, str]) -> dict[str, Any]:
    """Return the map as it is stored; ``codes`` leads from numeric to alpha-2 codes."""
    shapes = {
        code: path([rings[0], *(ring for ring in rings[1:] if area(ring) >= LEAST_AREA)])
        for code, rings in countries(coarse, codes).items()
        if rings
    }
    rest = shapes.pop("", "")
    dots = {code: _middle(rings[0]) for code, rings in countries(fine, codes).items() if code and rings}
    small = {code: middle for code, middle in sorted(dots.items()) if code not in shapes}
    return {"width": WIDTH, "height": HEIGHT, "shapes": dict(sorted(shapes.items())), "dots": small, "rest": rest}


def _middle(ring: Ring) -> list[int]:
    xs, ys = zip(*ring, strict=True)
    return [(min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2]


def npm_package(name: str, folder: Path) -> tarfile.TarFile:
    """Return a package, opened, which npm's client puts into ``folder``."""
    command = ["npm", "pack", "--silent", name]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 -- no user input
    return tarfile.open(folder / done.stdout.strip())


def member(package: tarfile.TarFile, name: str) -> Any:
    """Return a JSON file of a package."""
    file = package.extractfile(f"package/{name}")
    if file is None:
        raise FileNotFoundError(name)
    return json.load(file)


def main() -> None:
    """Fetch both packages and write the map."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with npm_package(ATLAS, folder) as atlas, npm_package(CODES, folder) as iso:
            coarse, fine = member(atlas, "countries-110m.json"), member(atlas, "countries-50m.json")
            codes = {number: alpha2 for alpha2, _, number, _ in member(iso, "codes.json")}
    text = json.dumps(world(coarse, fine, codes), separators=(",", ":"))
    TARGET.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{TARGET}: {len(text)} bytes\n")


if __name__ == "__main__":
    main()
