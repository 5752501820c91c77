"""What must outlive the process: dead letters (and, later, the queue on disk)."""
