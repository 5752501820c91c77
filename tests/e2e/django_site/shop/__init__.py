"""A small shop, as anybody might have one."""
