"""Policies in the life of a request: which texts there are, what follows for them. Pure."""
