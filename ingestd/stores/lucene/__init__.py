"""The query language of the search box and the command line: Lucene's, as in Kibana's bar.

======================================  ==============================================================
``timeout``, ``서울``                   a word of ``message`` or ``stack_trace`` has this part
``"GET /search"``                       these words next to each other there (`query.Text`)
``level:ERROR``                         a field has a value; ``message:`` and ``stack_trace:`` have words
``search_word:"서울 맛집"``             quotes around what has blanks or signs; ``\\`` makes a sign plain
``level:(ERROR OR CRITICAL)``           several values of a field
``level:>=WARNING``                     this severity and those above
``status_code:[400 TO 499]``, ``>=400`` ranges; ``{`` and ``}`` leave the bound out, ``*`` is no bound
``@timestamp:2026-11-22``               a day, or hour ``2026-11-22T10``, or ``[… TO …]`` of such
``path:/api/*``, ``colo?r``             any text, any one character; not within quotes
``_exists_:user``, ``user:*``           the field is there
``AND OR NOT``, ``&& || !``, ``+ -``    ``NOT`` binds closest, then ``AND``, ``OR``, and blanks least
======================================  ==============================================================

Not as in Lucene:

* Terms side by side must all be there (AND), where Kibana's default is OR: in logs each further word is meant to
  narrow down, as Kibana's own later language and every web search have it. ``+`` changes nothing, therefore.
* Logic is plain: ``a OR -b`` is a, or not b. Lucene's clauses, which are required, optional or prohibited, give
  other answers as soon as operators mix.
* A boost (``^2``) is ignored: what is found is in the order of time, not of relevance. Similar words (``~``) and
  regular expressions are refused.

The grammar is luqum's (https://luqum.readthedocs.io); ``lexer`` tells why the lexer is not.
"""

from __future__ import annotations

from ingestd.stores.lucene.lexer import tokens
from ingestd.stores.lucene.render import quote, render, render_filter
from ingestd.stores.query import Condition

__all__ = ["parse", "quote", "render", "render_filter"]


def parse(text: str) -> Condition | None:
    """Return the condition that a query text states, None if it is empty.

    Raises:
        QueryError: The text is wrong; ``column`` and ``length`` tell where.
    """
    found = tokens(text)
    if not found:
        return None
    from ingestd.stores.lucene.reader import read  # noqa: PLC0415  # 40 ms of imports, for those who search

    return read(text, found)
