"""Native filters that replace the code of a filter ``ruby``, found by its usual idioms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_NAME = r"""['"](?P<%s>[^'"]+)['"]"""
_GET = r"event(?:\.get\s*\(?\s*|\[)" + _NAME + r"\s*[\])]?"
_SET = r"event(?:\.set\s*\(?\s*" + _NAME + r"\s*,|\[" + _NAME.replace("%s", "%s2") + r"\]\s*=(?!=))\s*"
_TYPES = {"to_i": "integer", "to_f": "float", "to_s": "string"}
_CASES = {"downcase": "lowercase", "upcase": "uppercase", "capitalize": "capitalize", "strip": "strip"}

_MOVE = re.compile(_SET % ("to", "to") + _GET % "source" + r"\s*\)?\s*(?=$|[;\n}]|if\b|unless\b)", re.MULTILINE)
_LITERAL = re.compile(
    _SET % ("to", "to") + r"(?P<value>['\"][^'\"#]*['\"]|-?\d+(?:\.\d+)?|true|false)\s*\)?\s*(?=$|[;\n}])"
)
_REMOVE = re.compile(r"event\.remove\s*\(?\s*" + _NAME % "name")
_METHOD = re.compile(_GET % "name" + r"\s*\)?\s*(?:&?\.to_s)?&?\.(?P<method>\w+[!]?)")
_ARITHMETIC = re.compile(
    rf"(?:\.(?:{'|'.join((*_TYPES, *_CASES))})\b|event\.get\s*\([^()]*\))\s*\)?\s*[-+*/%]|[-+*/%]\s*event\.get\b"
)
"""The value of a field is part of a sum, or of a text that is put together."""
_SHIFT = re.compile(r"localtime\b\s*\)?\s*[-+]\s*\(?\s*\d|@timestamp['\"]\]?\)?(?:\.time)?\s*[-+]\s*\(?\s*\d")
_ENTRIES = re.compile(r"\|\s*\(?(\w+)\s*,\s*(\w+)\)?\s*\|[^|]*?event\.set\s*\(\s*\1\s*,\s*\2\s*\)", re.DOTALL)
_TAG = re.compile(r"event\.tag\s*\(?\s*" + _NAME % "tag")

_UTC = "times are kept in UTC and shown in the zone of whoever looks, so leave it out"
_PYTHON = "write the code in Python, for the filter python"
_IDIOMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"LogStash::Timestamp|DateTime\.|Time\.(?:at|parse|strptime)|strptime|localtime(?!\W*strftime)"),
        'date { match => ["FIELD", "ISO8601", "UNIX", "UNIX_MS"] timezone => "..." target => "FIELD" }',
    ),
    (
        re.compile(r"strftime"),
        'index => "...-%{+YYYY.MM.dd}" and index_timezone => "Area/City" in the output elasticsearch',
    ),
    (re.compile(r"Time\.now(?!(?s:.)*strftime)"), 'mutate { add_field => { "FIELD" => "%{{TIME_NOW}}" } }'),
    (
        re.compile(r"Redis\b|Net::HTTP|Faraday|HTTParty|Mysql2|PG\.connect|Dalli"),
        'translate { source => "FIELD" target => "..." dictionary_path => "..." }',
    ),
    (
        _ENTRIES,
        'json_encode { source => "FIELD" target => "[@metadata][entries]" } and '
        'json { source => "[@metadata][entries]" }',
    ),
    (re.compile(r"JSON\.(?:parse|load)|LogStash::Json\.load"), 'json { source => "FIELD" }'),
    (re.compile(r"\.to_json|JSON\.(?:generate|dump)"), "json_encode, or nothing: outputs write objects as JSON"),
    (re.compile(r"CGI\.unescape|URI\.(?:decode|unescape)|decode_www_form"), 'urldecode { field => "FIELD" }'),
    (re.compile(r"Digest::|OpenSSL::HMAC|OpenSSL::Digest"), 'fingerprint { source => "FIELD" method => "SHA256" }'),
    (re.compile(r"SecureRandom\.uuid"), 'uuid { target => "FIELD" }'),
    (re.compile(r"\bIPAddr\b"), 'cidr { address => ["%{FIELD}"] network => [...] add_tag => [...] }'),
    (re.compile(r"ENV\["), 'mutate { add_field => { "FIELD" => "${NAME}" } }'),
    (re.compile(r"\brand\b|Random\."), "drop { percentage => 90 }"),
    (re.compile(r"event\.cancel"), "drop { } in a condition"),
    (
        re.compile(r"\.delete_if|\.reject\b|\.delete\s*\(|(?:to_hash|\.each\b)(?s:.)*event\.remove\s*\(?\s*[a-z\"]"),
        'prune { whitelist_names or blacklist_names => ["^a_"] }',
    ),
    (re.compile(r"\.scan\b|=~|\.match\b|\$~|\$1"), 'grok { match => { "FIELD" => "(?<name>...)" } }'),
    (re.compile(r"byteslice|\.slice\b|\[0\s*,|\[0\.\."), 'truncate { fields => ["FIELD"] length_bytes => 100 }'),
)


def ruby_advice(code: str) -> str:
    """Return what to write instead of Ruby code: filters for its idioms, each once, or that there is none."""
    if _SHIFT.search(code):
        return f"ingestd runs no Ruby; {_UTC}, or {_PYTHON}"
    found = [] if _ARITHMETIC.search(code) else list(dict.fromkeys(_advice(code)))
    if not found:
        return f"ingestd runs no Ruby; {_PYTHON}"
    return "ingestd runs no Ruby; use " + " and ".join(found[:4]) + ", or the filter python"


def _advice(code: str) -> Iterator[str]:
    removed = {match["name"] for match in _REMOVE.finditer(code)}
    for match in _MOVE.finditer(code):
        verb = "rename" if match["source"] in removed else "copy"
        removed.discard(match["source"])
        yield f'mutate {{ {verb} => {{ "{match["source"]}" => "{match["to"] or match["to2"]}" }} }}'
    for match in _METHOD.finditer(code):
        make = _METHODS.get(match["method"].rstrip("!"))
        if make is not None:
            yield make(match["name"])
    for match in _LITERAL.finditer(code):
        name, value = match["to"] or match["to2"], match["value"].strip("'\"")
        yield f'mutate {{ replace => {{ "{name}" => "{value}" }}{_converted(name, match["value"])} }}'
    for match in _TAG.finditer(code):
        yield f'mutate {{ add_tag => ["{match["tag"]}"] }}'
    if removed:
        names = ", ".join(f'"{name}"' for name in sorted(removed))
        yield f"mutate {{ remove_field => [{names}] }}"
    yield from (text for pattern, text in _IDIOMS if pattern.search(code))


def _converted(name: str, literal: str) -> str:
    """Return the conversion that makes the text that replace sets the literal again."""
    if literal[0] in "'\"":
        return ""
    kind = "boolean" if literal in ("true", "false") else "float" if "." in literal else "integer"
    return f' convert => {{ "{name}" => "{kind}" }}'


def _convert(kind: str) -> Callable[[str], str]:
    return lambda name: f'mutate {{ convert => {{ "{name}" => "{kind}" }} }}'


def _change(option: str) -> Callable[[str], str]:
    return lambda name: f'mutate {{ {option} => ["{name}"] }}'


_METHODS: dict[str, Callable[[str], str]] = {
    **{method: _convert(kind) for method, kind in _TYPES.items()},
    **{method: _change(option) for method, option in _CASES.items()},
    "gsub": lambda name: f'mutate {{ gsub => ["{name}", "PATTERN", "TEXT"] }}',
    "sub": lambda name: f'mutate {{ gsub => ["{name}", "PATTERN", "TEXT"] }}',
    "tr": lambda name: f'mutate {{ gsub => ["{name}", "[abc]", "TEXT"] }}',
    "split": lambda name: f'mutate {{ split => {{ "{name}" => "SEPARATOR" }} }}',
    "join": lambda name: f'mutate {{ join => {{ "{name}" => "," }} }}',
    "merge": lambda name: f'mutate {{ merge => {{ "TARGET" => "{name}" }} }}',
}
