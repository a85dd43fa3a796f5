"""A simulator of Meta's Graph API: it checks what the real one checks, and can be told to misbehave."""

from local.meta.application import application
from local.meta.rules import Limits
from local.meta.state import Number, demo_numbers

__all__ = ["Limits", "Number", "application", "demo_numbers"]
