"""The data types: inventories, policies, plans and outcomes. Frozen and typed, without behavior of their own."""
