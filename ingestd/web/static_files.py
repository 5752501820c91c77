"""Files of the dashboard, read once: each with its type, its tag for caches, and packed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import web

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}
"""What is served, by the end of its name; nothing else is."""

INDEX = "index.html"
_WORTH_PACKING = 512


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file: ``packed`` by gzip, None if that makes it no smaller; ``tag`` changes when it does."""

    body: bytes
    packed: bytes | None
    content_type: str
    tag: str

    def answer(self, request: web.Request) -> web.Response:
        """Return the file, or that the browser has it already (RFC 9110, 13.1.2)."""
        # Also with a 304: browsers take its headers for those of the page they have, and our policy goes by its type.
        headers = {
            "Content-Type": self.content_type,
            "ETag": self.tag,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
        }
        known = request.headers.get("If-None-Match", "")
        if self.tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
            return web.Response(status=304, headers=headers)
        if self.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.body, headers=headers)


def load_files(package: str = "ingestd.web") -> dict[str, StaticFile]:
    """Return the files of the folder ``static`` in a package by their path in it."""
    return dict(_files(files(package) / "static"))


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    if not folder.is_dir():
        return found
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            found += _files(one, f"{prefix}{one.name}/")
        elif kind := TYPES.get(one.name.rpartition(".")[2]):
            found.append((prefix + one.name, _file(one.read_bytes(), kind)))
    return found


def _file(body: bytes, content_type: str) -> StaticFile:
    packed = gzip.compress(body, 9, mtime=0) if len(body) >= _WORTH_PACKING else body
    tag = '"' + hashlib.blake2b(body, digest_size=9).hexdigest() + '"'
    return StaticFile(body, packed if len(packed) < len(body) else None, content_type, tag)
