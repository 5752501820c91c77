"""The query language of the search box and the command line: Lucene's, as in Kibana's bar.

======================================  ==============================================================
``timeout``, ``서울``                   a word of ``message``, ``stack_trace``, ``search_word`` or the decoded
                                        ``request_path`` contains this
``"GET /search"``                       these words next to each other there (`query.Text`)
``level:ERROR``                         a field has a value; in ``message:`` and ``stack_trace:``, a word
``search_word:"서울 맛집"``             quotes around blanks and special characters; ``\\`` escapes one
``level:(ERROR OR CRITICAL)``           several values of a field
``level:>=WARNING``                     this severity or higher
``status_code:[400 TO 499]``, ``>=400`` ranges; ``{`` and ``}`` exclude the bound, ``*`` is no bound
``@timestamp:2026-11-22``               a day, an hour ``2026-11-22T10``, or ``[… TO …]`` of these;
                                        in UTC unless they have an offset
``path:/api/*``, ``colo?r``             any characters, any single character; not within quotes
``_exists_:user``, ``user:*``           the field exists
``_index:restored-*``                   the name of the index; one that was restored under another name is searched only
                                        if the query names it
``AND OR NOT``, ``&& || !``, ``+ -``    ``NOT`` binds closest, then ``AND``, ``OR``, and blanks least
======================================  ==============================================================

Differences from Lucene:

* Without an operator between them, all terms must match (AND), where Kibana's default is OR: in logs each further
  word is meant to narrow the results, as in Kibana's own newer language and in every web search. So ``+`` is
  redundant.
* Operators are plain Boolean logic: ``a OR -b`` is a, or not b. Lucene's required, optional and prohibited clauses
  give other results as soon as operators are mixed.
* A boost (``^2``) is ignored: results are sorted by time, not by relevance. Fuzzy search (``~``) and regular
  expressions are rejected.
"""

from __future__ import annotations

from ingestd.stores.lucene import conditions, parser
from ingestd.stores.lucene.lexer import tokenize
from ingestd.stores.lucene.render import quote, render, render_filter
from ingestd.stores.query import Condition

__all__ = ["parse", "quote", "render", "render_filter"]


def parse(text: str) -> Condition | None:
    """Return the condition that a query text states, None if it is empty.

    Raises:
        QueryError: The text is invalid; ``column`` and ``length`` say where.
    """
    tokens = tokenize(text)
    return conditions.condition(text, parser.parse(tokens)) if len(tokens) > 1 else None
