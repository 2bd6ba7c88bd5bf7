"""Commands that simulate: a fleet under a load, and the cost of an app that flexes."""
