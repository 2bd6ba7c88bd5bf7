"""An evaluator of IAM policies, as AWS documents it, and the policies of ``infra/`` to evaluate."""
