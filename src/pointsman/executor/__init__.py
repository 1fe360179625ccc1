"""Work on many items at once: on this loop, in processes, or on a Ray cluster, with one result."""
