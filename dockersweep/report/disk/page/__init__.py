"""The HTML page of the disk report: what it says, its pictures, its template, style and script."""
