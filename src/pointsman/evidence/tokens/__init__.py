"""How many tokens a text is: exact where the tokenizer is known, calibrated elsewhere."""
