"""The suppression list: what the API does with it, files of it, and the providers' own lists."""
