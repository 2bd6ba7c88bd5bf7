"""An evaluator of IAM policies, as AWS documents it, and the policies of ``infra/pipeline.yaml`` to evaluate."""
