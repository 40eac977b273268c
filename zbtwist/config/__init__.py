"""What the user asked for: the options, the file, and every mistake in them."""
