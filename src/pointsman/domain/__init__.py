"""The words of Pointsman, declared once; imports nothing of ours but itself."""
