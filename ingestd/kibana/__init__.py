"""The dashboard for those who have Kibana or OpenSearch Dashboards."""
