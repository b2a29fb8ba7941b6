"""Scripts that made the embedded sample's general data and its tiny model."""
