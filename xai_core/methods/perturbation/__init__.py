"""Methods that cover parts of the image and watch the score."""
