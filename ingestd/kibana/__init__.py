"""A dashboard for Kibana and OpenSearch Dashboards."""
