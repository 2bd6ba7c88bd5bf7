"""The flex simulator: cost and latency of an app on Lambda, on Fargate, and where the flex controller moves it."""
