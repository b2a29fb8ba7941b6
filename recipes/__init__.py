"""How what is embedded was made, by hand; not part of the installed package."""
