"""What this gate holds of people, for those who answer for it: the inventory of data, and the notice that a breach demands."""
