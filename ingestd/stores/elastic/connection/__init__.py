"""Connections to Elasticsearch and OpenSearch: the official client on a transport of ours."""
