"""The second stack of an app that flexes: what it needs on Fargate, and what moves the traffic. Pure functions."""
