"""What the console answers, by what it is about. docs/decisions has why it is as it is."""
