"""A running pipeline: from the journal through the filters to the outputs."""
