"""The AWS stack, in CDK."""
