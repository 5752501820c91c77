"""The Logstash config language: from text to a syntax tree, with located errors. ``parser`` is the interface."""
