"""The operations of ``mutate`` on one value. A function that changes nothing returns its argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from ingestd.plugins.filters._ruby import BLANKS, hex_float, strict_float, to_i, to_s

Change = Callable[[Any], Any]

_HEX_START = re.compile("^[+-]?0x", re.IGNORECASE | re.MULTILINE)
_SCIENTIFIC = re.compile("[+-]?[0-9]+(?:[.][0-9]+)?E[+-]?[0-9]+")
_MAX_EXPONENT = 400  # floats end at 308; ``1e999999999`` must not exhaust the memory
# As in Logstash: a dot that matches anything, and lines, not the whole text.
_TRUE = re.compile("^(true|t|yes|y|1|1.0)$", re.IGNORECASE | re.MULTILINE)
_FALSE = re.compile("^(false|f|no|n|0|0.0)$", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile("[^\0\t\n\v\f\r ]+")
_EU = str.maketrans(",.", ".,")


def to_integer(value: Any) -> int:
    """Convert as Logstash: commas are ignored, ``1e3`` and ``0x1F`` are numbers, else the leading digits count.

    Raises:
        ValueError: Text with an ``e`` or ``0x`` is not a number.
        TypeError: An array or a hash.
    """
    if type(value) is str:
        return _text_to_integer(value.strip(BLANKS).replace(",", ""))
    if type(value) in (list, dict):
        raise TypeError(f"can't convert {type(value).__name__} into an integer")
    return int(value)


def _text_to_integer(text: str) -> int:
    if _HEX_START.search(text):
        return int(hex_float(text)) if "." in text or "p" in text.lower() else int(text, 16)
    if "e" not in text and not _SCIENTIFIC.fullmatch(text):
        return to_i(text)
    try:
        number = Decimal(text)
        exponent = number.adjusted()
    except InvalidOperation:
        raise ValueError(f"invalid value for a number: {text!r}") from None
    if not number.is_finite() or exponent > _MAX_EXPONENT:
        raise ValueError(f"{text!r} is too large")
    return int(number)


def to_float(value: Any) -> float:
    """Convert as Logstash: commas are ignored, the rest must be a number.

    Raises:
        ValueError: The text is not a number.
        TypeError: An array or a hash.
    """
    if type(value) is str:
        return strict_float(value.strip(BLANKS).replace(",", ""))
    if type(value) in (list, dict):
        raise TypeError(f"can't convert {type(value).__name__} into a float")
    return float(value)


def to_boolean(value: Any) -> Any:
    """Return the boolean that a word means; other values are returned unchanged."""
    text = to_s(value)
    if _TRUE.search(text):
        return True
    return False if not text or _FALSE.search(text) else value


def _from_eu(value: Any) -> Any:
    return value.translate(_EU) if type(value) is str else value


CONVERSIONS: dict[str, Change] = {
    "string": to_s,
    "integer": to_integer,
    "float": to_float,
    "boolean": to_boolean,
    "integer_eu": lambda value: to_integer(_from_eu(value)),
    "float_eu": lambda value: to_float(_from_eu(value)),
}


def converter(kind: str) -> Change:
    """Return a function that converts a value, or each element of an array; hashes and nulls stay."""
    convert = CONVERSIONS[kind]
    to_number = {"integer": int, "float": float}.get(kind)

    def change(value: Any) -> Any:
        if to_number is not None and type(value) is str and value.isdigit() and value.isascii() and len(value) < 19:
            return to_number(value)  # the usual case, without more calls
        if type(value) is list:
            return [None if item is None else convert(item) for item in value]
        return value if type(value) is dict else convert(value)

    return change


def over_texts(change_text: Callable[[str], str]) -> Change:
    """Return a function that changes a text, or the texts in an array; other values stay."""

    def change(value: Any) -> Any:
        if type(value) is str:
            text = change_text(value)
            return value if text == value else text
        if type(value) is list:
            items = [change_text(item) if type(item) is str else item for item in value]
            return value if items == value else items
        return value

    return change


def lower(text: str) -> str:
    """Convert to lower case as Ruby: a capital sigma always becomes a plain small one."""
    return text.replace("Σ", "σ").lower()


def capitalize(text: str) -> str:
    """Convert the first letter to upper case and the rest to lower case."""
    return text[:1].capitalize() + lower(text[1:])


def strip(value: Any) -> Any:
    """Strip white space at both ends of a text, or of each text in an array.

    Raises:
        TypeError: An element of the array is not text.
    """
    if type(value) is list:
        if not all(type(item) is str for item in value):
            raise TypeError("strip: an element of the array is not text")
        return [item.strip(BLANKS) for item in value]
    return value.strip(BLANKS) if type(value) is str else value


def splitter(separator: str) -> Change:
    """Return a function that splits a text as Ruby: no empty parts at the end; ``" "`` splits at white space."""

    def change(value: Any) -> Any:
        if type(value) is not str:
            return value
        if separator == " ":
            return _WORD.findall(value)
        if not separator:
            return list(value)
        parts = value.split(separator)
        while parts and not parts[-1]:
            parts.pop()
        return parts

    return change


def joiner(separator: str) -> Change:
    """Return a function that joins an array, and arrays inside it, into a text."""

    def joined(items: list[Any]) -> str:
        return separator.join([joined(item) if type(item) is list else to_s(item) for item in items])

    return lambda value: joined(value) if type(value) is list else value


def merged(value: Any, added: Any) -> Any:
    """Return ``value`` merged with ``added``: two hashes make a hash, other values an array.

    A hash and another value cannot be merged: then ``value`` itself, the same object, is returned.
    """
    if (type(value) is dict) != (type(added) is dict):
        return value
    if type(value) is dict:
        return {**value, **added}
    more = _array(added)
    return value if type(value) is list and not more else [*_array(value), *more]


def _array(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if type(value) is list else [value]
