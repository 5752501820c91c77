"""The folder of an index: names of its files, its manifest, its sealed files and the columns they have."""
