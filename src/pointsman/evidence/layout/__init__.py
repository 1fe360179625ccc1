"""Where words stand on a page: lines, reading order, columns, tables. Values in, values out."""
