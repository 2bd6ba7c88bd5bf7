"""Looks up what a template refers to in the account, before anything is changed."""
