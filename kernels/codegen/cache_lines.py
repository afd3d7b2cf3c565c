"""The cache line: what cores fetch at once, and take from one another when two write to it."""

LINE_BYTES = 64
LINE_WORDS = LINE_BYTES // 8  # float64 or int64 numbers
