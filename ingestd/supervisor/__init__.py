"""The parent process: sockets, child processes, systemd."""
