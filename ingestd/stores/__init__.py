"""Where indices live: the ``LogStore`` interface (``base``) and its implementations."""
