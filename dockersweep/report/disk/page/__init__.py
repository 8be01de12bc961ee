"""The HTML page of the disk report: its texts, drawings, template, style and script."""
