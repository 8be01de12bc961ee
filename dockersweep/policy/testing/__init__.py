"""The cases of policy tests: from the text of a file to an inventory, and from a plan to the differences."""
