"""The seeds of the lines and objects that are reported; the rules were tuned on others."""

UNSEEN = 20261125
OBJECTS = 20261126
