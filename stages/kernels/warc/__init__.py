"""Archive files: gzip members and WARC records."""
