"""The tests; a package, so that no other `tests` that a library installed stands in the way."""
