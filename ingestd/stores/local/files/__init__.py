"""Files of the built-in store: append logs, sealed Parquet files, and what ties them together."""
