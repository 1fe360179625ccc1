"""Personal data that has a form: addresses on networks, numbers with checksums, dates."""
