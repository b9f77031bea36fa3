"""Search from wanted properties back to materials: design spaces, problems, methods, judges."""
