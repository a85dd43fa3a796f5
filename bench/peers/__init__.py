"""The same webhook in the usual ways, and what measures them beside ours."""
