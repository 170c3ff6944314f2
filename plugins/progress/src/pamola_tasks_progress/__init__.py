"""Progress of a run: bars on stderr, on a terminal."""
