"""The families of general problems: each draws one problem and says it in several wordings."""
