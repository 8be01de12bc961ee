"""A verb on several hosts: a process each, whose documents are folded to one."""
