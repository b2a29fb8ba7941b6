"""Read rows of any file, and write files that are whole or not there at all."""
