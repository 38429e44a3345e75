"""Running passes: in chunks, on a device, within memory, with how many bits."""
