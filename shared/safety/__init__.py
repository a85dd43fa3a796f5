"""What comes from customers and what goes to them: the input guard, the output guard, and what is kept from prompts."""

from shared.safety.scan import Verdict, scan

__all__ = ["Verdict", "scan"]
