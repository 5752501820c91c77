from ingestd.stores.aggregation import Aggregation, Metric
from ingestd.stores.elastic.query.aggregation_figures import read


def test_a_sum_beyond_doubles_has_no_value() -> None:
    """Servers write it as a text."""
    aggregation = Aggregation((Metric("sum", "n"), Metric("avg", "n"), Metric("max", "n")))
    numbers = {"count": 2, "sum": "Infinity", "min": 1e308, "max": 1e308}
    ((_, figures),) = read(aggregation, {"doc_count": 2, "statistics0": numbers})
    assert figures.values(aggregation.metrics, None) == (None, None, 1e308)
