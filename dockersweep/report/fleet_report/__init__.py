"""The report on many hosts: as a layout like all documents, as an HTML page, and as metrics for Prometheus."""
