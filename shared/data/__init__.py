"""The store: typed calls of the database's privileged functions, and user-scoped access under row level security."""
