"""Reports that are computed from what any `LogStore` answers."""
