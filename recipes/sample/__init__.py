"""How the embedded sample's general data and its tiny model were made."""
