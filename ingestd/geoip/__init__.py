"""Where addresses are: databases in the MaxMind DB format, and what is read out of them."""
