"""What `restore` does: known.py gathers what can be made again, execution.py makes it."""
