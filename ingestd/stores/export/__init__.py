"""Events of a store as files: what `ingestd export` and the downloads of the dashboard read and write."""
