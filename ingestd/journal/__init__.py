"""What must outlive the process: the queue on disk and the dead letters."""
