"""The ESP sandbox: SendGrid, Postmark and Amazon SES as one small server on 127.0.0.1.

It judges the product, so it shares no sending or webhook code with it: the
wire formats here were written from the ESPs' documentation alone.
"""
