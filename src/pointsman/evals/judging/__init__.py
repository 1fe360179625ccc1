"""Models as judges: what they are asked, how their answers are read, and how far to trust them."""
