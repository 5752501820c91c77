"""Random documents: any JSON, and such as have the same few fields, mostly of the same types."""

from __future__ import annotations

import json
from functools import partial

from hypothesis import strategies as st

STRINGS = [
    "",
    "INFO",
    "서울 맛집",
    'a "quote" \\ "b":1',
    "\x00",
    "\u2028\x7f",
    "[1,2]",
    "1.50",
    "null",
    '"n": 1, ',
    "👍",
    " ,}",
]
NUMBERS = ["0", "-0", "1", "-1", "200", "1.0", "1.5", "1.50", "0.1", "1e2", "1E2", "1e-7", "0.00001", "-0.0", "1e400"]
NUMBERS += ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "1" * 40]
NUMBERS += ["126.9741", "100000000000000000000.0", "0.30000000000000004", "12345678901234567"]
TIMES = ["2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00.123456Z", "2026-11-22T10:00:00Z"]
TIMES += [
    "2026-11-22T10:00:00.123456789Z",
    "2026-02-30T10:00:00.000Z",
    "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
]
TIMES += ["2026-11-22T10:00:60.000Z", "2026-11-22T24:00:00.000Z", "2026-11-22T10:00:00.000+09:00", "yesterday"]
NAMES = [
    "level",
    "n",
    "d",
    "g",
    "Level",
    "a.b",
    "id",
    "rest",
    "doc",
    "filename",
    "id_",
    "~row",
    "",
    "x y",
    "서울",
    'q"',
    "t/~",
]
NAMES += ["@timestamp", "@timestamp.text", "@version", "k" * 300, "\x00", "%", "{}", "'"]


def quoted(text: str, *, escaped: bool) -> str:
    return json.dumps(text, ensure_ascii=escaped)


def spelt(text: str) -> str:
    """Return a JSON string that has only escapes, as no usual writer makes it."""
    units = text.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)) + '"'


def strings() -> st.SearchStrategy[str]:
    """JSON texts of strings; a few have a lone surrogate."""
    text = st.one_of(st.sampled_from(STRINGS), st.text(max_size=20))
    written = st.builds(lambda text, escaped: quoted(text, escaped=escaped), text, st.booleans())
    return st.one_of(written, written, st.sampled_from([r'"\ud83d"', r'"\ud83d\ude00"', r'"\/\u0041"']))


_WRITERS = [partial(quoted, escaped=True), partial(quoted, escaped=False)]


def values() -> st.SearchStrategy[str]:
    """JSON texts of any values, with and without blanks."""
    scalars = st.one_of(
        strings(), st.sampled_from(NUMBERS), st.integers().map(str), st.floats(allow_nan=False).map(repr),
        st.sampled_from(["true", "false", "null", "NaN"]),
    )  # fmt: skip
    return st.recursive(scalars, lambda inner: st.one_of(_joined(inner, "[", "]"), objects(inner)), max_leaves=6)


def _joined(items: st.SearchStrategy[str], start: str, end: str) -> st.SearchStrategy[str]:
    blanks = st.sampled_from(["", "", " "])
    return st.builds(lambda parts, blank: start + ("," + blank).join(parts) + end, st.lists(items, max_size=4), blanks)


def objects(inner: st.SearchStrategy[str], names: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[str]:
    """JSON texts of objects; keys may stand twice."""
    keys = st.sampled_from(NAMES) if names is None else names
    member = st.builds(
        lambda name, colon, value, write: write(name) + colon + value,
        keys, st.sampled_from([":", ":", ": ", " :"]), inner, st.sampled_from([*_WRITERS, *_WRITERS, spelt]),
    )  # fmt: skip
    return _joined(member, "{", "}")


def typical() -> st.SearchStrategy[str]:
    """Documents with the same few fields, mostly of the same types, so that there are columns for them."""
    fields = {
        name: st.sampled_from(texts)
        for name, texts in {
            "@timestamp": list(map(json.dumps, TIMES)),
            "level": ['"INFO"', '"WARN"', "null", "1"],
            "n": ["0", "5", "-0", "1.0", '"5"', "5"],
            "d": ["1.5", "0.25", "1.50", "2", "1e2"],
            "flag": ["true", "false", '"true"'],
            "tags": ["[]", '["a", "b"]', "[1.50]", "[0]", '"a"'],
            "g": [
                '{"lat":1.5,"c":"KR"}',
                '{"lat": 1.50}',
                "{}",
                '{"c":"US"}',
                '{"z":{"y":1}}',
                "[]",
                "5",
                '""',
                "true",
            ],
        }.items()
    }
    chosen = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=7)

    def written(names: list[str], separator: str) -> st.SearchStrategy[str]:
        members = st.tuples(*map(fields.__getitem__, names))
        return members.map(
            lambda texts: (
                "{" + separator.join(f'"{name}":{text}' for name, text in zip(names, texts, strict=True)) + "}"
            )
        )

    return st.tuples(chosen, st.sampled_from([",", ", "])).flatmap(lambda pair: written(*pair))
