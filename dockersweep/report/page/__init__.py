"""What the pages of reports have in common: style, script, and how a template is rendered."""
