"""HTTP/1.1 and what is carried by it: content encodings, JSON bodies, ``_bulk`` requests, OTLP."""
