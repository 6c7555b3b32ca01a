"""tornkit's modules; the names are tornkit's own layout, of which this folder is the package."""
