"""What a scanned code means, and what our own labels say. Pure: no database, no clock."""
