"""The cost sub-ledger: one balanced entry for each event on the shop floor."""
