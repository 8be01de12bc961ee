"""The layouts of `history`: all runs, one run, an object over all runs, or problems of the ledger."""
