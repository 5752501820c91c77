"""Backups of the built-in store, in a folder or an S3 bucket."""
