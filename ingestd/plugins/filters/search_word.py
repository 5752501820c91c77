"""``search_word``: find what a visitor searched for in the path of a request.

Not in Logstash. Words that mean the same to a visitor become the same text, so that they are counted together, and one
search counts once: not again for each page of its result, each key typed into the search box, or each record about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from unicodedata import category, normalize

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._percent import text_unescaper
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

T = TypeVar("T")

_CACHED_CHARS = 512  # words and paths without queries repeat, long ones do not
_CACHED_TEXTS = 8192

_ESCAPED_CHARS = 36
"""How many characters of a query one character of a word takes at most: four escaped bytes, three times decomposed."""

_UTF16_RUN = re.compile("(?:%[uU][0-9A-Fa-f]{4})+")  # JavaScript's escape()


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``search_word``."""

    source: FieldRef = option(FieldRef("request_path"), "Field with the path and query of a request.")
    target: FieldRef = option(FieldRef("search_word"), "Field for the word; an existing value is kept.")
    parameters: list[str] = option(
        ["q", "query", "keyword", "search", "word", "s"],
        "Names of the parameters with the word, in any case; `q[]` is `q`. The first in the query that is not blank "
        "counts.",
    )
    methods: list[str] = option(["GET", "POST"], "Only requests with one of these methods are searches; empty: all.")
    page_parameters: list[str] = option(
        ["page", "p", "paged", "pageno", "page_no"],
        "Names of the parameters with the page of a result: the word counts only on the first, numbered 0 or 1.",
    )
    ignore_paths: list[str] = option(
        [
            *("autocomplete", "auto-complete", "auto_complete", "suggest", "typeahead"),
            *("/static/", "/media/", "/assets/"),
        ],
        "Paths that contain one of these texts, in any case, are not searches.",
    )
    ignore_extensions: list[str] = option(
        [
            *("js", "mjs", "css", "map", "json", "xml", "txt", "ico", "png", "jpg", "jpeg", "gif", "svg", "webp"),
            *("avif", "woff", "woff2", "ttf", "eot", "otf", "mp4", "webm", "mp3", "pdf", "zip"),
        ],
        "Paths of files with one of these extensions are not searches.",
    )
    ignore_status_codes: list[int] = option(
        [], "Requests that got one of these answers are not searches, e.g. `301` of a site that adds slashes to paths."
    )
    fold_case: bool = option(True, "Count `Seoul` and `seoul` as the same word: words are in lower case.")
    max_chars: int = option(200, "Longer words are cut.")
    fallback_charset: str = option("", "Encoding of escaped bytes that are not valid UTF-8, e.g. `CP949`; empty: none.")


def _touches(options: Options) -> Touch:
    target = options.target.text
    reads = {options.source.text, target, "visit"}
    reads |= {"method"} if options.methods else set()
    reads |= {"status_code"} if options.ignore_status_codes else set()
    return Touch(reads=frozenset(reads), sets=frozenset({target}), removes=frozenset({target}))


@filter_plugin("search_word", Options, touches=_touches, failure_tag="_searchword_error", columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Find the search word in the query of a request.

    Escapes are decoded (`%EC%84%9C`, `%uC11C`, `+` as a space), Unicode is normalized (NFC), blanks are trimmed and
    collapsed; a blank word is none. Parameters may be separated by `&`, `;` or `&amp;`. An event whose `visit` is
    false, as `access_line` marks records that are not access lines, has no word.
    """
    source, target, again = options.source, options.target, context.again
    find = _finder(options)
    methods = frozenset(options.methods) or None
    ignored_status = frozenset(options.ignore_status_codes)

    def search_word(table: Table, rows: Rows, received_ns: int) -> Rows:
        paths, visits, asked, answers = (table.values(source), *map(table.column, ("visit", "method", "status_code")))
        there, put, passed = table.values(target), table.setter(target), []
        for row in rows:
            path = paths[row]
            if type(path) is not str or "=" not in path:
                continue
            if again:
                table.remove(target, row)
            elif there[row] is not ABSENT and there[row] is not None:
                continue
            word = find(path)
            if word is None or visits[row] is False:
                continue
            if methods is not None and asked[row] is not ABSENT and str(asked[row]) not in methods:
                continue
            if ignored_status and isinstance(status := answers[row], int) and status in ignored_status:
                continue
            put(row, word)
            passed.append(row)
        return passed

    return search_word


def _cached(function: Callable[[str], T]) -> Callable[[str], T]:
    known: dict[str, T] = {}

    def cached(text: str) -> T:
        try:
            return known[text]
        except KeyError:
            pass
        value = function(text)
        if len(text) <= _CACHED_CHARS:
            if len(known) >= _CACHED_TEXTS:
                known.clear()
            known[text] = value
        return value

    return cached


def _finder(options: Options) -> Callable[[str], str | None]:
    """Return a function that finds the word in a path with its query."""
    values = _parameter(options.parameters, r"((?:[^&#;]++|;(?![\w.%\[\]-]*=))*+)")
    further_page = _parameter(options.page_parameters, r"(?:0*(?:[2-9][0-9]*|1[0-9]+)|last)(?![^&#;])")
    is_ignored = _cached(_path_filter(options))
    clean = _cached(_cleaner(options))

    def find(path: str) -> str | None:
        start = path.find("?")
        if start < 0 or values is None:
            return None
        if is_ignored(path[:start]) or (further_page is not None and further_page.search(path, start)):
            return None
        return next(filter(None, map(clean, values.findall(path, start))), None)

    return find


def _parameter(names: list[str], value: str) -> re.Pattern[str] | None:
    """Return a regex for a parameter of one of these names with this value; None without names."""
    if not names:
        return None
    brackets = r"(?:(?:\[|%5B)[0-9]{0,4}(?:\]|%5D))?"
    return re.compile(rf"[?&;](?:{'|'.join(map(re.escape, names))}){brackets}={value}", re.IGNORECASE)


def _path_filter(options: Options) -> Callable[[str], bool]:
    """Return a function that says whether a path, without its query, is not one of searches."""
    texts = [text.lower() for text in options.ignore_paths]
    extensions = tuple(f".{extension.lower().removeprefix('.')}" for extension in options.ignore_extensions)

    def is_ignored(path: str) -> bool:
        path = path.lower()
        return path.endswith(extensions) or any(text in path for text in texts)

    return is_ignored


def _cleaner(options: Options) -> Callable[[str], str]:
    """Return a function that makes the value of a parameter a word; empty if it is blank."""
    unescape = text_unescaper("UTF-8", options.fallback_charset, "NFC", plus_as_space=True)
    fold, max_chars = options.fold_case, options.max_chars
    max_escaped = max_chars * _ESCAPED_CHARS

    def clean(value: str) -> str:
        word = unescape(_UTF16_RUN.sub(_utf16_run, value[:max_escaped]))
        if not word.isprintable():
            word = "".join(map(_visible, word))
        if fold:
            word = normalize("NFC", word.casefold())
        return " ".join(word.split())[:max_chars].rstrip()

    return clean


def _utf16_run(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0][2:].replace("%u", "").replace("%U", "")).decode("utf-16-be", "replace")


def _visible(char: str) -> str:
    """Return a character, control characters as a blank, and those without a width (such as U+200B) as nothing."""
    return {"Cc": " ", "Cf": "", "Cs": "\ufffd"}.get(category(char), char)
