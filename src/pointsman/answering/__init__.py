"""One request: the machine that decides what happens next, and the shell that does it."""
