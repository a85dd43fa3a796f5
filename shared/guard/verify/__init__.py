"""Pure verifiers, one a scheme: bytes, headers or token, secrets and the time in; nothing or Refused out."""
