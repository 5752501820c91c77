"""Saved objects as NDJSON, for *Stack Management > Saved Objects > Import*.

The charts are aggregation-based: Kibana 7.14 to 9 and OpenSearch Dashboards, which was forked from 7.10, can both read
them. Each object states the version of its format; newer servers migrate it.
Format: https://www.elastic.co/docs/api/doc/kibana/group/endpoint-saved-objects and
https://docs.opensearch.org/latest/dashboards/management/saved-objects/.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ingestd.kibana.dashboard import (
    CHARTS,
    SEARCHES,
    TITLE,
    WORLD,
    Chart,
    GridPosition,
    OverTime,
    Search,
    Terms,
    WorldMap,
)

Object = dict[str, Any]

_KIBANA = dict.fromkeys(("index-pattern", "search", "visualization", "map", "dashboard"), "7.14.0")
_OPENSEARCH = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}

_INDEX_REF = "kibanaSavedObjectMeta.searchSourceJSON.index"
_JOIN = "countries"


@dataclass(frozen=True, slots=True)
class Flavour:
    """The product that the objects are for: the versions of their formats, and whether it has an app for maps."""

    versions: Mapping[str, str]
    maps: bool


KIBANA = Flavour(_KIBANA, maps=True)
OPENSEARCH = Flavour(_OPENSEARCH, maps=False)


def saved_objects(index: str, flavour: Flavour = KIBANA) -> list[Object]:
    """Return the data view for the pattern ``index``, the charts, the searches, and the dashboard, in this order.

    Their ids depend on ``index`` alone, so importing them again replaces them.
    """
    writer = _Writer(index, flavour)
    found = [writer.data_view()]
    found += [writer.chart(chart) for chart in CHARTS]
    found.append(writer.world(WORLD))
    found += [writer.search(search) for search in SEARCHES]
    panels = [(found[1 + number], chart.position) for number, chart in enumerate(CHARTS)]
    panels.append((found[1 + len(CHARTS)], WORLD.position))
    panels += [
        (found_search, search.position)
        for found_search, search in zip(found[2 + len(CHARTS) :], SEARCHES, strict=True)
        if search.position is not None
    ]
    return [*found, writer.dashboard(panels)]


def ndjson(objects: list[Object]) -> bytes:
    """Return objects as a file to import, one per line."""
    return b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in objects)


def _text(value: Any) -> str:
    """Return JSON as text: many attributes of these objects are JSON in JSON."""
    return orjson.dumps(value).decode()


class _Writer:
    """Writes objects that refer to one data view."""

    def __init__(self, index: str, flavour: Flavour) -> None:
        self._index, self._flavour = index, flavour

    def _id(self, kind: str, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ingestd/{self._index}/{kind}/{name}"))

    def _object(self, kind: str, name: str, attributes: Object, references: list[Object]) -> Object:
        return {
            "type": kind,
            "id": self._id(kind, name),
            "attributes": attributes,
            "references": references,
            "migrationVersion": {kind: self._flavour.versions[kind]},
        }

    def _data(self, name: str) -> Object:
        """Return the reference to the data view that an object's text calls ``name``."""
        return {"name": name, "type": "index-pattern", "id": self._id("index-pattern", "data")}

    def data_view(self) -> Object:
        attributes = {"title": self._index, "timeFieldName": "@timestamp"}
        return self._object("index-pattern", "data", attributes, [])

    def chart(self, chart: Chart) -> Object:
        return self._visualization(chart.name, chart.title, vis_state(chart), chart.query)

    def world(self, world: WorldMap) -> Object:
        if not self._flavour.maps:
            return self._visualization(world.name, world.title, _region_map(world), world.query)
        attributes = {
            "title": world.title,
            "description": "",
            "mapStateJSON": _text({"zoom": 1.2, "center": {"lon": 15, "lat": 25}}),
            "layerListJSON": _text(_layers(world)),
            "uiStateJSON": _text({"isLayerTOCOpen": False}),
        }
        return self._object("map", world.name, attributes, [self._data("layer_1_join_0_index_pattern")])

    def search(self, search: Search) -> Object:
        attributes = {
            "title": search.title,
            "description": search.description,
            "columns": list(search.columns),
            "sort": [["@timestamp", "desc"]],
            "kibanaSavedObjectMeta": {"searchSourceJSON": _source(search.query, highlightAll=True, version=True)},
        }
        return self._object("search", search.name, attributes, [self._data(_INDEX_REF)])

    def dashboard(self, panels: list[tuple[Object, GridPosition]]) -> Object:
        shown = [_panel(number, item["type"], position) for number, (item, position) in enumerate(panels)]
        query = {"query": "", "language": "lucene"}
        attributes = {
            "title": TITLE,
            "description": "Levels, search words, paths, status codes and visitors, as in ingestd's own dashboard.",
            "panelsJSON": _text(shown),
            "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
            "timeRestore": True,
            "timeFrom": "now-30d",
            "timeTo": "now",
            "kibanaSavedObjectMeta": {"searchSourceJSON": _text({"query": query, "filter": []})},
        }
        references = [
            {"name": f"panel_{number}", "type": item["type"], "id": item["id"]}
            for number, (item, _) in enumerate(panels)
        ]
        return self._object("dashboard", "dashboard", attributes, references)

    def _visualization(self, name: str, title: str, state: Object, query: str) -> Object:
        attributes = {
            "title": title,
            "description": "",
            "visState": _text(state),
            "uiStateJSON": "{}",
            "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": _source(query)},
        }
        return self._object("visualization", name, attributes, [self._data(_INDEX_REF)])


def _source(query: str, **more: Any) -> str:
    return _text({"query": {"query": query, "language": "lucene"}, "filter": [], "indexRefName": _INDEX_REF, **more})


def _panel(number: int, kind: str, position: GridPosition) -> Object:
    return {
        "type": kind,
        "panelIndex": str(number),
        "gridData": {"x": position.x, "y": position.y, "w": position.width, "h": position.height, "i": str(number)},
        "panelRefName": f"panel_{number}",
        "embeddableConfig": {},
        "version": "7.10.0",
    }


def vis_state(chart: Chart) -> Object:
    """Return the state of a chart: its type, parameters and aggregations."""
    schemas = {"bars": ("segment", "group"), "table": ("bucket", "bucket"), "ring": ("segment", "segment")}[chart.kind]
    return {
        "title": chart.title,
        "type": {"bars": "histogram", "table": "table", "ring": "pie"}[chart.kind],
        "params": {"bars": _BARS, "table": _TABLE, "ring": _RING}[chart.kind],
        "aggs": list(_aggregations(chart.buckets, schemas)),
    }


def _aggregations(buckets: tuple[Terms | OverTime, ...], schemas: tuple[str, ...]) -> Iterator[Object]:
    yield {"id": "1", "enabled": True, "type": "count", "schema": "metric", "params": {"customLabel": "Events"}}
    for number, bucket in enumerate(buckets):
        kind = "terms" if isinstance(bucket, Terms) else "date_histogram"
        params = _terms(bucket) if isinstance(bucket, Terms) else _over_time(bucket)
        yield {"id": str(number + 2), "enabled": True, "type": kind, "schema": schemas[number], "params": params}


def _terms(terms: Terms) -> Object:
    return {
        "field": terms.field,
        "size": terms.size,
        "order": "desc",
        "orderBy": "1",
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
        "customLabel": terms.label,
    }


def _over_time(bars: OverTime) -> Object:
    return {
        "field": "@timestamp",
        "useNormalizedEsInterval": True,
        "interval": "auto",
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
        "customLabel": bars.label,
    }


_BARS: Object = {
    "type": "histogram",
    "grid": {"categoryLines": False},
    "categoryAxes": [
        {
            "id": "CategoryAxis-1",
            "type": "category",
            "position": "bottom",
            "show": True,
            "style": {},
            "scale": {"type": "linear"},
            "labels": {"show": True, "filter": True, "truncate": 100},
            "title": {},
        }
    ],
    "valueAxes": [
        {
            "id": "ValueAxis-1",
            "name": "LeftAxis-1",
            "type": "value",
            "position": "left",
            "show": True,
            "style": {},
            "scale": {"type": "linear", "mode": "normal"},
            "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
            "title": {"text": "Events"},
        }
    ],
    "seriesParams": [
        {
            "show": True,
            "type": "histogram",
            "mode": "stacked",
            "data": {"label": "Events", "id": "1"},
            "valueAxis": "ValueAxis-1",
            "drawLinesBetweenPoints": True,
            "lineWidth": 2,
            "showCircles": True,
        }
    ],
    "addTooltip": True,
    "addLegend": True,
    "legendPosition": "right",
    "times": [],
    "addTimeMarker": False,
    "labels": {"show": False},
    "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
}

_TABLE: Object = {
    "perPage": 10,
    "showPartialRows": False,
    "showMetricsAtAllLevels": False,
    "showTotal": False,
    "showToolbar": False,
    "totalFunc": "sum",
    "percentageCol": "",
}

_RING: Object = {
    "type": "pie",
    "addTooltip": True,
    "addLegend": True,
    "legendPosition": "right",
    "isDonut": True,
    "labels": {"show": False, "values": True, "last_level": True, "truncate": 100},
}


def _layers(world: WorldMap) -> list[Object]:
    """Return the layers of Kibana's map: tiles, and countries coloured by the count of their events on top."""
    count = {"name": f"__kbnjoin__count__{_JOIN}", "origin": "join"}
    style = {
        "fillColor": {"type": "DYNAMIC", "options": {"field": count, "color": "Blues"}},
        "lineColor": {"type": "STATIC", "options": {"color": "#FFFFFF"}},
        "lineWidth": {"type": "STATIC", "options": {"size": 1}},
    }
    join = {
        "type": "ES_TERM_SOURCE",
        "id": _JOIN,
        "indexPatternRefName": "layer_1_join_0_index_pattern",
        "term": world.countries.field,
        "size": world.countries.size,
        "metrics": [{"type": "count", "label": "Events"}],
        "applyGlobalQuery": True,
        "applyGlobalTime": True,
        "whereQuery": {"query": world.query, "language": "lucene"},
    }
    common = {"minZoom": 0, "maxZoom": 24, "visible": True}
    tiles = {"type": "EMS_TMS", "isAutoSelect": True}
    outlines = {"type": "EMS_FILE", "id": "world_countries", "tooltipProperties": ["name"]}
    return [
        {**common, "id": "tiles", "type": "VECTOR_TILE", "alpha": 1, "sourceDescriptor": tiles, "style": {}},
        {
            **common,
            "id": "layer",
            "type": "VECTOR",
            "label": world.title,
            "alpha": 0.75,
            "sourceDescriptor": outlines,
            "style": {"type": "VECTOR", "properties": style},
            "joins": [{"leftField": "iso2", "right": join}],
        },
    ]


def _region_map(world: WorldMap) -> Object:
    """Return the state of an OpenSearch Dashboards region map with its built-in country outlines."""
    code = {"name": "iso2", "description": "Two letter abbreviation"}
    layer = {
        "name": "World Countries",
        "layerId": "elastic_maps_service.World Countries",
        "id": 5659313586569216,
        "format": {"type": "geojson"},
        "fields": [code, {"name": "name", "description": "Country name"}],
        "isEMS": True,
    }
    params = {
        "legendPosition": "bottomright",
        "addTooltip": True,
        "colorSchema": "Blues",
        "selectedLayer": layer,
        "selectedJoinField": code,
        "isDisplayWarning": False,
        "wms": {"enabled": False, "options": {"format": "image/png", "transparent": True}},
        "mapZoom": 1,
        "mapCenter": [25, 15],
        "outlineWeight": 1,
        "showAllShapes": True,
    }
    aggregations = list(_aggregations((world.countries,), ("segment",)))
    return {"title": world.title, "type": "region_map", "params": params, "aggs": aggregations}
