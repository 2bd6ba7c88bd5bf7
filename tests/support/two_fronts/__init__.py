"""The same requests to the two fronts of an app, and what may differ."""
