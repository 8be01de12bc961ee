"""Documents of many hosts as tables: the only wing that knows DuckDB, which the extra `fleet` installs."""
