"""The disk report: laid out as all documents, as an HTML page, and as metrics for Prometheus."""
