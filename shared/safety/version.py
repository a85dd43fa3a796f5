"""The version of the input filter, which is stored with each verdict."""

# The SHA-256 digest, shortened, of every file that decides a verdict. A stored verdict of another version is not used:
# its text is judged again. tests/shared/safety/test_version.py says which value belongs here.
FILTER_VERSION = "c275109e8136"
