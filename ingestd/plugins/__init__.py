"""All plugins: one file each, named as in the config."""
