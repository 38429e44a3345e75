"""Text burnt into pictures: what a site does with it, and who looks, masks and lets pass."""
