"""Maps: which methods there are, asking for maps, and making and checking them."""
