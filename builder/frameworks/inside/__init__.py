"""What runs in the sandbox with each framework."""
