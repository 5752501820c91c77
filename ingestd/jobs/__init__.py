"""Work that ends: imports, replay of dead letters, reprocessing of indices."""
