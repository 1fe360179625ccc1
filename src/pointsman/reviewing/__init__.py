"""Held answers: kept for people to look at, decided once, delivered or not."""
