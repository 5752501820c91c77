"""Snapshots of Elasticsearch and OpenSearch, and indices written from documents."""
