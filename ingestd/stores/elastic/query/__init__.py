"""Queries of Elasticsearch and OpenSearch."""
