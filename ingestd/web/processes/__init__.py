"""The HTTP process, and the processes that run queries and manual actions."""
