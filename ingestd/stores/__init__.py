"""Where indices live: the ``LogStore`` interface (``base``) and the stores behind it."""
