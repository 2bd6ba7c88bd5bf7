"""Commands about one app that is deployed: see it, ask it, drive it."""
