"""Static files of the dashboard, read once: each with its content type, its ETag and, once asked for, compressed.

The page asks for all others below a folder that is named after their content, ``static/~0a1b2c/app.js``: browsers keep
these for good, so that a second visit asks for the page and for nothing else that it had.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
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
"""Content types by file extension; files of other types are not served."""

INDEX = "index.html"
_MIN_COMPRESSED_BYTES = 512
_FOR_GOOD = "public, max-age=31536000, immutable"  # RFC 8246


@dataclass(frozen=True)
class StaticFile:
    """One file; ``etag`` changes with the content."""

    body: bytes
    content_type: str
    etag: str

    @cached_property
    def compressed(self) -> bytes | None:
        """The file compressed with gzip, None if that does not make it smaller."""
        compressed = gzip.compress(self.body, 9, mtime=0) if len(self.body) >= _MIN_COMPRESSED_BYTES else self.body
        return compressed if len(compressed) < len(self.body) else None

    def response(self, request: web.Request, *, lasting: bool = False) -> web.Response:
        """Return the file, or 304 if the browser has it (RFC 9110, 13.1.2); ``lasting``: it is this one for good."""
        # Also with 304: browsers update the headers of their copy, and our security policy depends on the type.
        headers = {
            "Content-Type": self.content_type,
            "ETag": self.etag,
            "Cache-Control": _FOR_GOOD if lasting else "no-cache",
            "Vary": "Accept-Encoding",
        }
        known = request.headers.get("If-None-Match", "")
        if self.etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", "") and self.compressed is not None:
            return web.Response(body=self.compressed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.body, headers=headers)


class StaticFiles:
    """The page and the files that it asks for."""

    def __init__(self, files: Mapping[str, StaticFile], page: StaticFile) -> None:
        self._files = files
        etags = "".join(files[name].etag for name in sorted(files))
        self._folder = f"~{hashlib.blake2b(etags.encode(), digest_size=6).hexdigest()}/"
        links = page.body.replace(b'="static/', f'="static/{self._folder}'.encode())
        self.page = _file(links, page.content_type)

    def response(self, request: web.Request, path: str) -> web.Response | None:
        """Return a file by its path below ``static/``; None: there is none.

        A page that was loaded before an upgrade gets what there is now, but must not keep it.
        """
        lasting = path.startswith(self._folder)
        name = path.partition("/")[2] if path.startswith("~") else path
        found = self._files.get(name)
        return None if found is None else found.response(request, lasting=lasting)


def load_files(package: str = "ingestd.web") -> dict[str, StaticFile]:
    """Return the files in the folder ``static`` of a package, by their path in it."""
    return dict(_files(files(package) / "static"))


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    if not folder.is_dir():
        return found
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif content_type := TYPES.get(entry.name.rpartition(".")[2]):
            found.append((prefix + entry.name, _file(entry.read_bytes(), content_type)))
    return found


def _file(body: bytes, content_type: str) -> StaticFile:
    etag = '"' + hashlib.blake2b(body, digest_size=9).hexdigest() + '"'
    return StaticFile(body, content_type, etag)
