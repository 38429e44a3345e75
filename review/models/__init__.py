"""Model versions: importing, trying, switching on and off."""
