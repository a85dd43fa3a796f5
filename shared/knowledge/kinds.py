"""The files that are taken, by the ending of their name."""

# Ending -> media type.
KINDS = {
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
# Less than shared/cloud/transport.py takes in one answer.
MAXIMUM_BYTES = 7 * 1024 * 1024


def kind_of(name: str) -> str:
    """The kind of a file, from its name."""
    return name.rpartition(".")[2].lower()
