"""Methods that differentiate the score, at one image or along paths."""
