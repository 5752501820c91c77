"""From a parsed config to one Python function: check, projection, codegen, load."""
