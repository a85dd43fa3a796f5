"""What scripts/new_function.py writes."""
