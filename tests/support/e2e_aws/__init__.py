"""The run behind ``make e2e-aws``: stages that prove on an account what only an account can show."""
