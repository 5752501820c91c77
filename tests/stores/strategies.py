"""Random conditions on the events of the suite, and random texts, for properties that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from ingestd.stores.query import FREE_FIELDS, And, Condition, Equal, Exists, Gap, Like, Not, Or, Range, Text, Word
from ingestd.stores.words import words
from tests.stores.events import EVENTS
from tests.stores.texts import TEXTS

NUMBERS = ("status_code", "bytes", "n", "duration")
VALUES = (
    "level",
    "search_word",
    "request_path",
    "user",
    "tags",
    "a.b.c",
    "x.y",
    "logger_name",
    "host",
    "host.name",
    "items.sku",
    "size",
)
OTHERS = ("flag", "empty", "nothing", "none", "nobody", "odd", "a", "version")

_WORDS = sorted({word for _, wanted, text, _ in TEXTS for word in (wanted, text) if word})
_MESSAGES = [str(event["message"]) for event in EVENTS.values() if event.get("message")]
_PLAIN = st.sampled_from(
    ["서울 맛집", "서울", "seoul", "부산", "ERROR", "info", "Warn", "/", "/search", "deep", "dotted", "auth", "", "é"]
)
_NUMBER = st.one_of(
    st.sampled_from(["200", "404", "404.0", "0.25", "1.5", "12", "5", "-5", "0", "100", "1e2"]),
    st.integers(-10, 1000).map(str),
)
_TIMES = st.sampled_from(
    sorted({str(event["@timestamp"]) for event in EVENTS.values() if len(str(event["@timestamp"])) == 24})
)


@st.composite
def _phrases(draw: st.DrawFn) -> str:
    """A piece of a message, cut anywhere, or one of the wanted texts."""
    text = draw(st.sampled_from([*_MESSAGES, *_WORDS]))
    start = draw(st.integers(0, len(text) - 1))
    return text[start : start + draw(st.integers(1, 30))]


@st.composite
def _ranges(draw: st.DrawFn, fields: tuple[str, ...], values: st.SearchStrategy[str]) -> Condition:
    low, high = draw(st.one_of(st.none(), values)), draw(values)
    return Range(draw(st.sampled_from(fields)), low, high, draw(st.booleans()), draw(st.booleans()))


def _patterns(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str | Gap, ...]]:
    return st.tuples(pieces, st.sampled_from(Gap), pieces)


def conditions() -> st.SearchStrategy[Condition]:
    """Conditions that every store answers in the same way."""
    letters = st.sampled_from(["s", "e", "서", "울", "o", "earch", "GET", "1"])
    leaves: st.SearchStrategy[Condition] = st.one_of(
        st.builds(Text, _phrases()),
        st.builds(Word, _patterns(letters)),
        st.builds(Equal, st.sampled_from((*VALUES, *OTHERS)), _PLAIN),
        st.builds(Equal, st.sampled_from(NUMBERS), _NUMBER),
        st.builds(Like, st.sampled_from(VALUES[:-1]), _patterns(letters)),
        st.builds(Like, st.sampled_from(NUMBERS[:3]), st.tuples(st.sampled_from("1245"), st.sampled_from(Gap))),
        st.builds(Exists, st.sampled_from((*NUMBERS, *VALUES, *OTHERS, "message"))),
        _ranges(NUMBERS, _NUMBER),
        _ranges(("search_word", "request_path", "user", "tags"), _PLAIN.filter(bool)),
        _ranges(("@timestamp",), _TIMES),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.lists(inner, max_size=3).map(tuple).map(And),
            st.lists(inner, max_size=3).map(tuple).map(Or),
        ),
        max_leaves=6,
    )


def single_words() -> st.SearchStrategy[Condition]:
    """Words, some of them excluded, in all fields that are searched or in one."""
    found = sorted({word for text in [*_MESSAGES, *_WORDS] for word in words(text)})
    fields = st.sampled_from([FREE_FIELDS, ("message",), ("request_path",), ("user",)])
    word = st.builds(Text, st.sampled_from([*found, "nowhere"]), fields)
    parts = st.lists(st.one_of(word, st.builds(Not, word)), min_size=1, max_size=4).map(tuple)
    return st.one_of(st.builds(And, parts), st.builds(Or, parts))


def texts() -> st.SearchStrategy[str]:
    """Texts of letters and signs that join words, separate them, or are words themselves."""
    return st.text("aB1.,:;'_- /서울ㅋの東ーカ🚀👍éİΣไทย\u200d\u200b\u00ad🇰²½Ⅷ٣\"·", max_size=40)
