"""Reads why CloudFormation refuses or fails."""
