"""Files that clients leave here, and batches of requests read from them at spare capacity."""
