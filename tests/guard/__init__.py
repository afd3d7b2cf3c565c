"""What compiled code must be like, whatever the clock says.

``table`` lists every kernel, ``assembly`` looks at its machine code, ``callgrind`` counts the
instructions that it takes, ``count`` is the command that writes what they may be.
"""
