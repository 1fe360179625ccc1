"""The wire to clients: surfaces, authentication, errors in the shapes clients expect."""
