"""Documents as parts: read in a bounded child, by libraries that others keep well."""
