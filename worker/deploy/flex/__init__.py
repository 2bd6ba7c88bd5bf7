"""What an app needs on Fargate: whether it can run there, and the deployment of its second stack."""
