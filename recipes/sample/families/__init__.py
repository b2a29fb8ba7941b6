"""The families of general problems: each draws one problem and returns, for each part of it, several wordings."""
