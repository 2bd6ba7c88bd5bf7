"""A fake Fargate: starts the tasks of ECS services as processes of this machine, and registers them as targets."""
