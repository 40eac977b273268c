"""What the bytes of a node mean: named values, with units."""
