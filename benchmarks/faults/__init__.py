"""Hammer the product with kills, full disks and damaged files, and count what happens; see `__main__`."""
