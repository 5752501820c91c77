"""The syntax of regular expressions: parsing them to nodes."""
