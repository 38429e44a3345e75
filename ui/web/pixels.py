"""Routes of pixels and maps, raw, for the viewer to draw."""

ROUTES = []
