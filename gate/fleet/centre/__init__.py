"""The centre: what gates sent goes from the broker into PostgreSQL, and receipts go back."""
