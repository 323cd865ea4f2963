"""Complete named runs as Python functions."""
