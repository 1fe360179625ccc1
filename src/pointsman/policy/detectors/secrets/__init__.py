"""Secrets in text: tokens of known vendors, and values that a name calls secret."""
