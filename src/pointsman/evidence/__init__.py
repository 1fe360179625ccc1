"""Evidence: documents, images, tables and logs as parts that say where they come from."""
