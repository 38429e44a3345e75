"""What the pages draw, a panel a page."""
