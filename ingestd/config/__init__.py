"""The Logstash config language: text in, tree out, errors with their place. ``parser`` is the way in."""
