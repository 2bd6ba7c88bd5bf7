"""The console: a web page on the loopback address, over a person's own AWS credentials. docs/how-to/console.md"""
