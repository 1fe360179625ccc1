"""What each surface takes and gives: pure translation of bytes to requests, answers to bytes."""
