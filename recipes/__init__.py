"""Scripts that made the files embedded in coig; run by hand, not part of the installed package."""
