"""What runs and watches the product on one machine: processes and their state. No data passes through here."""
