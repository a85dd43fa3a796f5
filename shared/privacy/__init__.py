"""Nothing personal and nothing secret leaves in logs, errors or reports."""

from shared.privacy.masking import mask_pii, redact
from shared.privacy.objects import scrub

__all__ = ["mask_pii", "redact", "scrub"]
