"""What every package above uses: arrays, numbers, names, random numbers, threads."""
