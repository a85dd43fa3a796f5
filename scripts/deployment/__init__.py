"""What scripts/package.py and scripts/check_template.py are made of."""
