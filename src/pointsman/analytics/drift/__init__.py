"""Watching streams of outcomes for change: what they are, who is woken, what is told."""
