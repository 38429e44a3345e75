"""Cases: taking files in, finding them in the worklist, opening one to read."""
