"""Sealing: append logs become Parquet files, small Parquet files become larger ones."""
