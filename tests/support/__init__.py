"""What several test files share: networks, references, tolerances, programs for child processes."""
