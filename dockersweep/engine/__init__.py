"""The only wing that talks to Docker: which engine, what it holds, and carrying out a plan."""
