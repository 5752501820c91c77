"""One row of CSV text, read as strictly as Ruby's ``CSV.parse_line`` does.

Follows RFC 4180 and https://docs.ruby-lang.org/en/3.1/CSV.html. Only the first row of a text is read; line ends inside
quotes belong to the value. A column without any text is None, one with empty quotes is empty text.
"""

from __future__ import annotations

Row = list[str | None]


class CsvError(ValueError):
    """The text is not CSV."""


class CsvReader:
    """Reads rows with one separator and quote character.

    Raises:
        ValueError: The separator is empty, or the quote is not a single character.
    """

    __slots__ = ("_quote", "_separator")

    def __init__(self, separator: str = ",", quote: str = '"') -> None:
        if not separator:
            raise ValueError("the separator must not be empty")
        if len(quote) != 1:
            raise ValueError(f"the quote character must be a single character, not {quote!r}")
        self._separator, self._quote = separator, quote

    def row(self, text: str) -> Row | None:
        """Return the columns of the first row; None for empty text, no columns for an empty line.

        Raises:
            CsvError: A quote is not closed, or there is text beside it; or a lone line end is not in quotes.
        """
        if not text:
            return None
        if self._quote in text:
            return self._quoted_row(text)
        line = text
        if "\n" in text or "\r" in text:
            line = text.partition(_line_end(text))[0]
            _check_unquoted(line)
        return [column or None for column in line.split(self._separator)] if line else []

    def _quoted_row(self, text: str) -> Row:
        """Return the columns of a text that has quotes."""
        quote, separator, line_end = self._quote, self._separator, _line_end(text)
        columns: Row = []
        position, row_end = 0, -1
        while True:
            if text.startswith(quote, position):
                value, position = self._quoted(text, position + 1)
                columns.append(value)
            else:
                if row_end < position:
                    row_end = text.find(line_end, position)
                    row_end = len(text) if row_end < 0 else row_end
                end = text.find(separator, position, row_end)
                end = row_end if end < 0 else end
                columns.append(self._unquoted(text[position:end]))
                position = end
            if text.startswith(separator, position):
                position += len(separator)
            elif position == len(text) or text.startswith(line_end, position):
                return [] if columns == [None] else columns
            else:
                raise CsvError(f"text after the closing quote of column {len(columns)}")

    def _quoted(self, text: str, start: int) -> tuple[str, int]:
        """Return the value between quotes, which starts at ``start``, and where the text continues after them."""
        quote, position = self._quote, start
        while (position := text.find(quote, position)) >= 0:
            if not text.startswith(quote, position + 1):
                return text[start:position].replace(quote * 2, quote), position + 1
            position += 2
        raise CsvError("a quote is not closed")

    def _unquoted(self, value: str) -> str | None:
        if self._quote in value:
            raise CsvError("a quote inside a column that does not start with one")
        _check_unquoted(value)
        return value or None


def _check_unquoted(value: str) -> None:
    if "\r" in value or "\n" in value:
        raise CsvError("a line end that is not in quotes")


def _line_end(text: str) -> str:
    """Return the first line end of a text, a line feed if there is none."""
    feed, carriage = text.find("\n"), text.find("\r")
    if carriage < 0 or 0 <= feed < carriage:
        return "\n"
    return "\r\n" if feed == carriage + 1 else "\r"
