"""What holds the activations to their accuracy: exact definitions, bounds, the exhaustive run."""
