"""Text let through up to what could still begin something protected. Pure."""
