"""Which problem an error is: what identifies it, whatever line, release, id or address it has."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from ingestd.plugins.filters._message_patterns import message_pattern
from ingestd.protocols.records.tracebacks import Frame, Traceback, parse_traceback

MAX_TITLE_CHARS = 200
_ID_BYTES = 6
_CACHED_PATHS, _MAX_PATH_CHARS = 4096, 300  # at most 4 MB

_LIBRARY = re.compile(
    r"/(?:site|dist)-packages/|/lib/python\d|/[Pp]ython[\d.]*/[Ll]ib/|^[A-Z]:/.*?/Lib/|/node_modules/|\.egg/|^<",
)
_RELEASE = re.compile(
    r"\d{6,}|[0-9a-f]{7,}|v?\d+(?:\.\d+)+|(?:.*[-_.@])?(?:v?\d+(?:\.\d+)+|\d{6,}|(?=[a-f]*\d)[0-9a-f]{7,})|[0-9a-f-]{36}"
)
_ROOTS = re.compile(
    r"(?:[A-Z]:)?/(?:home/[^/]+|Users/[^/]+|var/www|srv/www|srv|opt|root|data|mnt|var/lib|tmp)/[^/]+/(?=.)"
)
_FIXED_ROOTS = re.compile(r"(?:/usr/src/app|/app|/code|/workspace|/site|/project)/")
_LEADING = frozenset(
    {"releases", "release", "current", "versions", "src", "source", "deploy", "build", "www", "htdocs"}
)
_INNER = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})
"""What Python before 3.12 calls functions that are part of another."""


class Problem(NamedTuple):
    """The id of a problem, the same for all its events, and a title for people."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Paths:
    """Which files are the site's own: globs of paths that are, and of those that are not.

    ``own`` wins over ``library``, which is added to the usual folders of libraries. What a glob of ``own`` has before
    its first wildcard is where the site is installed, and no part of the names of its modules.
    """

    own: tuple[str, ...] = ()
    library: tuple[str, ...] = ()

    def classifier(self) -> Callable[[str], bool]:
        """Return whether a path, with ``/``, is of the site's own code."""
        own, library = _any_of(self.own), _any_of(self.library)

        def is_own(path: str) -> bool:
            if own is not None and own.fullmatch(path):
                return True
            return not (_LIBRARY.search(path) or (library is not None and library.fullmatch(path)))

        return is_own

    def module_name(self, path: str) -> str:
        """Return the name of a module without the folder that it is deployed in: ``orders.views``."""
        for glob in self.own:
            root = re.split(r"[*?\[]", glob, maxsplit=1)[0]
            root = root[: root.rfind("/") + 1]
            if root and path.startswith(root):
                path = path[len(root) :]
                break
        else:
            path = _without_root(path)
        return re.sub(r"\.py[cow]?$", "", path).removesuffix("/__init__").replace("/", ".").strip(".")


def _any_of(globs: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{fnmatch.translate(glob)})" for glob in globs)) if globs else None


def _without_root(path: str) -> str:
    """Return a path from where the site's packages start, as far as that can be known."""
    if library := re.search(r".*(?:(?:site|dist)-packages|node_modules|/lib/python\d[\d.]*)/", path):
        return path[library.end() :]
    root = _FIXED_ROOTS.match(path) or _ROOTS.match(path)
    parts = (path[root.end() :] if root else path).strip("/").split("/")
    folders, name = parts[:-1], parts[-1]
    release = max((at for at, part in enumerate(folders) if _RELEASE.fullmatch(part)), default=-1)
    folders = folders[release + 1 :]
    while folders and folders[0] in _LEADING:
        del folders[0]
    return "/".join([*folders, name])


def grouper(paths: Paths) -> Callable[[str, str, str], Problem | None]:
    """Return a function of the trace, the message and the error type of an event, each empty if it has none."""
    is_own = lru_cache(_CACHED_PATHS)(paths.classifier())
    module_name = lru_cache(_CACHED_PATHS)(paths.module_name)

    def problem(trace: str, message: str, error_type: str) -> Problem | None:
        found = parse_traceback(trace) if trace else None
        if found is not None and found.type != "NoneType":
            return _of_trace(found, error_type, module_name, is_own)
        return _of_message(message) or _of_message(trace)

    return problem


def _of_trace(
    found: Traceback, error_type: str, module_name: Callable[[str], str], is_own: Callable[[str], bool]
) -> Problem | None:
    name = (found.type or error_type).rpartition(".")[2] or "Error"
    shown = message_pattern(found.message, keep_names=True)
    if not found.frames:
        pattern = message_pattern(found.message)
        return _problem(("exception", name, pattern), f"{name}: {shown}" if shown else name)
    frame = _innermost(found.frames, is_own)
    module = module_name(_normal(frame.file))
    place = module if frame.function in ("", "<module>") else f"{module}.{frame.function}"
    title = f"{name} in {place}"
    return _problem(("trace", name, module, frame.function), f"{title}: {shown}" if shown else title)


def _of_message(message: str) -> Problem | None:
    pattern = message_pattern(message)
    return _problem(("message", pattern), pattern) if pattern else None


def _problem(key: tuple[str, ...], title: str) -> Problem:
    text = "\0".join(key).encode("utf-8", "surrogatepass")
    cut = title if len(title) <= MAX_TITLE_CHARS else f"{title[: MAX_TITLE_CHARS - 1]}…"
    return Problem(blake2b(text, digest_size=_ID_BYTES).hexdigest(), cut)


def _innermost(frames: Sequence[Frame], is_own: Callable[[str], bool]) -> Frame:
    """Return the innermost frame of the site's own code; without one, the innermost."""
    at = next((at for at in range(len(frames) - 1, -1, -1) if is_own(_normal(frames[at].file))), len(frames) - 1)
    while at and frames[at].function in _INNER and frames[at - 1].file == frames[at].file:
        at -= 1
    return frames[at]


def _normal(path: str) -> str:
    return path.replace("\\", "/")[-_MAX_PATH_CHARS:]
