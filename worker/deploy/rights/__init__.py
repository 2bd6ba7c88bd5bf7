"""The rights of apps: what their roles ask for, what has changed since the live release, and what is granted."""
