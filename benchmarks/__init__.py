"""Programs that compare the service with its peers; `python -m benchmarks --help`."""
