"""The families of general problems: each draws one problem and returns several wordings of it."""
