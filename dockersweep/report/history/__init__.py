"""What past runs did, laid out: all runs, one of them, an object over all runs, or what is wrong with the ledger."""
