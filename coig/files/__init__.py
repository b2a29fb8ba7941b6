"""Read rows of any file, write files atomically, lock files."""
