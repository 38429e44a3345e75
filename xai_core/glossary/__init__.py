"""What each method and measure means, in plain words."""
