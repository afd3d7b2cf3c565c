"""A network as one C file, see `network`."""
