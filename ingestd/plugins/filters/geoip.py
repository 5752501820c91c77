"""``geoip``: say where an IP address is, out of a database in the MaxMind DB format.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-geoip and the plugin's version 7.3.
Not as there: no database is bundled (``ingestd geoip install`` puts one in place); host names are not looked up; an
IPv6 address is written in its short form; the cache holds the addresses used last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.geoip.address import MAX_CHARS, parse_address
from ingestd.geoip.database import WatchedDatabase
from ingestd.geoip.database_folder import database_file
from ingestd.geoip.fields import Tree, extractor, field_names
from ingestd.logs import get_logger
from ingestd.plugins.filters._targets import plain_name
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option, required

log = get_logger(__name__)

_USES = {"City": "location", "ASN": "asn"}

CHECK_S = 5.0
"""How often the database file is looked at for a change, in seconds."""

Find = Callable[[str], Callable[[], Tree] | None]
"""From an address to what makes a new tree of its fields, None if it is not found."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``geoip``."""

    source: FieldRef = required("Field that holds the IP address; of an array the first item counts.")
    target: FieldRef | None = option(
        None, "Field for the result; without it `geoip`, with ECS the parent of a source such as `[client][ip]`."
    )
    database: str | None = option(None, "Path of the database; without it the one of `ingestd geoip install`.")
    default_database_type: str = option(
        "City", "Which of the installed databases: `City` (also one of countries), or `ASN`.", choices=("City", "ASN")
    )
    fields: list[str] = option([], "Fields to set; without it those that Logstash takes from such a database.")
    ecs_compatibility: str = option(
        "disabled",
        "Layout of the fields: flat, or that of the Elastic Common Schema.",
        choices=("disabled", "v1", "v8"),
    )
    tag_on_failure: list[str] = option(["_geoip_lookup_failure"], "Tags for an event whose address is not found.")
    cache_size: int = option(1000, "How many addresses are remembered.")


def _target(options: Options) -> FieldRef | None:
    """Return where the result goes, None if the options do not tell."""
    if options.target is not None:
        return options.target
    if options.ecs_compatibility == "disabled":
        return FieldRef("geoip")
    path = options.source.path
    return FieldRef("".join(f"[{part}]" for part in path[:-1])) if len(path) > 1 and path[-1] == "ip" else None


def _touches(options: Options) -> Touch:
    target = _target(options)
    place = frozenset() if target is None else frozenset({target.text})
    tags = frozenset({"tags"}) if options.tag_on_failure else frozenset()
    return Touch(reads=place | {options.source.text}, sets=place | tags)


@filter_plugin("geoip", Options, touches=_touches)
def build(options: Options, context: BuildContext) -> FilterFn:
    """Set fields that say where an IP address is: country, city, coordinates, or the network's owner.

    An address that the database does not hold (a private one, say) or that is none gets the tags of
    `tag_on_failure` and an empty target; an event without the source gets the tags alone. A database that is
    replaced is opened within seconds. Without `database`, and as long as none is installed, nothing is found.
    """
    target = _target(options)
    if target is None:
        raise ValueError("target is needed: the source is no `ip` of another field, such as [client][ip]")
    lookups = _Lookups(options, context)
    find, next_look = lookups.find, 0.0
    source, place = options.source, checked(target)
    get = source.get if len(source.path) > 1 else None
    name, plain, tags = source.top, plain_name(target), options.tag_on_failure

    def geoip(event: Event) -> bool:
        nonlocal find, next_look
        if (now := monotonic()) >= next_look:
            find, next_look = lookups.look(), now + CHECK_S
        if find is None and not tags:
            return False
        value = event.get(name) if get is None else get(event)
        if type(value) is list:
            value = value[0] if value else None
        if find is not None and type(value) is str:
            make = find(value) if len(value) <= MAX_CHARS else None
            if make is None:
                if value.strip() and place.get(event) is None:
                    place.set(event, {})
            elif plain is not None and plain not in event:
                event[plain] = make()
                return True
            else:
                _store(event, place, make())
                return True
        for tag in tags:
            add_tag(event, tag)
        return False

    return geoip


class _Lookups:
    """The database, and what was found in it last."""

    def __init__(self, options: Options, context: BuildContext) -> None:
        if options.cache_size < 1:
            raise ValueError("cache_size must be at least 1")
        self._names = field_names(options.fields)
        self._ecs, self._cache_size = options.ecs_compatibility != "disabled", options.cache_size
        installed = database_file(context.settings.data_dir, _USES[options.default_database_type])
        path = installed if options.database is None else context.folder / Path(options.database)
        self._database = WatchedDatabase(path, required=options.database is not None)
        self._told = False
        self.find = self._make_find()

    def look(self) -> Find | None:
        """Return what finds an address in the database of now, None if there is none."""
        if self._database.refresh():
            self.find = self._make_find()
        if self.find is None and not self._told:
            self._told = True
            log.info("no geoip database is installed, see ingestd geoip install", folder=self._database.path.parent)
        return self.find

    def _make_find(self) -> Find | None:
        database = self._database.current
        if database is None:
            return None
        extract = extractor(database.metadata.type, self._names, ecs=self._ecs)

        @lru_cache(self._cache_size)
        def find(text: str) -> Callable[[], Tree] | None:
            address = parse_address(text)
            found = None if address is None else database.find(address)
            tree = None if found is None else extract(found)
            return None if tree is None else _copier(tree)

        return find


def _copier(tree: Tree) -> Callable[[], Tree]:
    """Return what makes a copy of ``tree``, which is cheaper if one knows where dicts are inside of it."""
    below = [(key, _copier(value)) for key, value in tree.items() if type(value) is dict]
    if not below:
        return tree.copy

    def copy() -> Tree:
        new = tree.copy()
        for key, make in below:
            new[key] = make()
        return new

    return copy


def _store(event: Event, place: FieldRef, tree: Tree) -> None:
    """Set ``tree`` below ``place``; what is there already stays.

    Raises:
        FieldError: ``place`` holds a value that has no fields.
    """
    there = place.get(event)
    if there is None:
        place.set(event, tree)
    elif type(there) is dict:
        place.set(event, _merged(there, tree))
    else:
        raise FieldError(f"cannot set {place}: it holds {there!r}, which has no fields")


def _merged(there: Any, tree: Tree) -> Tree:
    if type(there) is not dict:
        return tree
    below = {key: _merged(there.get(key), value) for key, value in tree.items() if type(value) is dict}
    return {**there, **tree, **below}
