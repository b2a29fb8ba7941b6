"""One look for everything that is shown: numbers, tables, terminal, LaTeX, figures."""
