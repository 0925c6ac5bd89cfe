"""What comes down to gates: of what two people allowed, what the director assigned, and never anything older.

Two powers, after Uptane. The *repository* (TUF) says what is allowed at all: its ``targets`` are signed by people, offline. The *director*
says which of that each gate shall have, online. A gate takes what is assigned and allowed and signed inside by those who sign for such things.
"""
