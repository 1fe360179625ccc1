"""Rules and detectors to findings, and findings to a verdict. Pure."""
