"""Python's calls answered by machine code: objects in, new arrays out, nothing in between."""
