"""Elasticsearch and OpenSearch: the connection, the index template."""
