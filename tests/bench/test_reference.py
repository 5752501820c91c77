"""The reference loop must do the work of the default pipeline, or its figure means nothing."""

from __future__ import annotations

import json

from tests.bench import reference
from tests.bench.events import expected, make_lines


def test_documents_are_those_of_the_default_pipeline() -> None:
    lines = [line for line in make_lines(500) if b'"message": "\\"' in line]
    assert len(lines) > 400
    documents = reference.bulk_body(b"".join(lines)).split(b"\n")[1::2]
    expectations = [expected(line) for line in lines]
    for document in expectations:
        del document["client_ip"]
    assert [json.loads(document) for document in documents] == expectations
