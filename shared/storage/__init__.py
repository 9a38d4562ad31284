"""DynamoDB, S3, SQS and parameters behind the domain's ports."""
