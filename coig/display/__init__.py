"""Format numbers, tables and figures in the same style for the page, the terminal, Markdown and LaTeX."""
