"""Bytes to pixels and back: formats, limits, de-identification. Knows no web and no tensors."""
