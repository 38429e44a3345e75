"""Methods that hand the score back layer by layer by rules of their own."""
