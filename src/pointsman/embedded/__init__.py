"""Small real models that ship with Pointsman, and the generator of the cases they answer."""
