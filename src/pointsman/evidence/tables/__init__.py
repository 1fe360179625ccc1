"""Tables of data: told in short where they are large, and asked by SQL that can only read."""
