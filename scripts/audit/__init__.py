"""What scripts/audit_guards.py is made of: each module is one question put to the code, read and never imported."""
