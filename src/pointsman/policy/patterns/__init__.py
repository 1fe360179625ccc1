"""Regular expressions as RE2 writes them: read, simplified, and turned into automata. Pure."""
