"""What a business tells its assistant: files, read where they can do no harm, and the passages that they become."""
