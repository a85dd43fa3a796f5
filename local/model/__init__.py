"""A simulator of an OpenAI-compatible model: deterministic, offline, and as gullible as it is told to be."""

from local.model.application import application

__all__ = ["application"]
