"""Assembles the jobs: import, standard input, replay of dead letters."""
