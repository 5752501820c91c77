r"""SQL that queries use many times, as macros of DuckDB: so their text is short, and parsed once for each connection.

To plan a query of a small store takes DuckDB longer than to run it, and nearly half of that is parsing: about 8 us of a
name or sign. A macro is bound anew wherever it is used, so each has no more steps than it needs.
"""

from __future__ import annotations

MACROS = {
    # To DuckDB a lone surrogate is invalid JSON.
    "repaired(document)": r"regexp_replace(document, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\ufffd', 'g')",
    "values_at(document, pointers)": """coalesce(
        TRY(json_extract(document, pointers)), TRY(json_extract(repaired(document), pointers))
    )""",
    "texts_at(document, pointers)": """coalesce(
        TRY(json_extract_string(document, pointers)), TRY(json_extract_string(repaired(document), pointers))
    )""",
    "repeats_key(document, objects)": """coalesce(
        len(list_filter(TRY(json_keys(document, objects)), lambda keys: len(keys) <> list_unique(keys))) > 0, true
    )""",
    "parsed(document)": r"""coalesce(
        TRY(ltrim(document, E' \t\r\n')::JSON), repaired(ltrim(document, E' \t\r\n'))::JSON
    )""",
    "last_member(object, name)": """CASE WHEN starts_with(object, '{') THEN
        list_reverse(json_extract(object, '$.*'))[list_position(list_reverse(json_keys(object)), name)]
    END""",
    "last_members(document, names)": """list_transform(
        [parsed(document)], lambda o: list_transform(names, lambda n: last_member(o, n))
    )[1]""",
    "flattened_once(list)": """flatten(list_transform(
        list, lambda v: CASE WHEN starts_with(v, '[') THEN json_extract(v, '$[*]') ELSE [v] END
    ))""",
    "flattened(list)": "flattened_once(flattened_once(list))",
    "in_one(list)": """list_transform(
        [list_filter(list, lambda v: v IS NOT NULL)],
        lambda l: CASE WHEN len(l) > 1 THEN to_json(flattened(l)) ELSE l[1] END
    )[1]""",
    "array_elements(json)": """CASE WHEN contains(substr(json, 2), '[')
        THEN flattened(flattened(json_extract(json, '$[*]'))) ELSE json_extract(json, '$[*]')
    END""",
    "distinct_elements(json)": """CASE WHEN starts_with(json, '[') AND json <> '[]'
        THEN list_distinct(array_elements(json)::VARCHAR[]) ELSE [json]
    END""",
    "path_of(json)": """CASE WHEN starts_with(json, '"')
        THEN to_json(split_part(json->>'$', '?', 1))::VARCHAR ELSE json
    END""",
    "distinct_paths(json)": """CASE WHEN starts_with(json, '[') AND json <> '[]'
        THEN list_distinct(list_transform(array_elements(json)::VARCHAR[], lambda e: path_of(e))) ELSE [path_of(json)]
    END""",
    "is_leaf(json)": "json <> 'null' AND NOT starts_with(json, '[') AND NOT starts_with(json, '{')",
    "is_value(json)": """is_leaf(json) AND json NOT IN ('""', 'NaN', 'Infinity', '-Infinity')""",
    "has_leaf(json)": "len(list_filter(json_extract(json, '$..*'), lambda e: is_leaf(e))) > 0",
    "text_of(json)": "CASE WHEN is_leaf(json) THEN json->>'$' END",
    "texts_of(json)": """CASE WHEN starts_with(json, '[')
        THEN list_transform(array_elements(json), lambda e: text_of(e)) ELSE [text_of(json)]
    END""",
}
"""The expressions by name and parameters.

``repaired``: a document with U+FFFD for lone surrogates.
``values_at``, ``texts_at``: the values at some pointers, a list of JSON or of texts; NULL if it is not JSON.
``repeats_key``: whether one of the objects at some pointers has a key twice; true if the document is not JSON.
``parsed``: a document, repaired if need be, as JSON.
``last_member``: the last value that a name has in an object, JSON; NULL of anything else.
``last_members``: those of some names in a document, a list.
``flattened``: a list of JSON with the elements of arrays, and of arrays in these, in their place.
``in_one``: a list of JSON, some of them NULL, as one: NULL, the only value, or an array of all.
``array_elements``: those of an array, JSON text, as a list of JSON; those of arrays in it as well.
``distinct_elements``: a list of these, or of any other value alone; ``distinct_paths``: without query strings.
``is_leaf``: whether JSON text is neither null nor a container; ``has_leaf``: whether there is such in it, at any depth.
``is_value``: whether it is a value that is counted.
``texts_of``: the texts of the elements of an array, or of any other value; NULL for what has none.
"""

CREATE = ";".join(f"CREATE MACRO {name} AS ({expression})" for name, expression in MACROS.items())
"""The statements that define them all."""
