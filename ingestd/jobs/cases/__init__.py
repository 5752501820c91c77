"""Cases for a config: events in, and what is expected of them. ``ingestd test`` runs them."""
