"""How traffic gets to a release: beside what is live first, asked, then by the aliases, and the stack follows."""
