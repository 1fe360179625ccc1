"""Background work on the journal: what is done by schedule, by one process at a time."""
