"""The running daemon: worker, flow control, HTTP, signals."""
