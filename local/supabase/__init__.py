"""The local Supabase: `application` serves it, `bootstrap` prepares its database, `generate_keys` makes its keys."""

from local.supabase.database import bootstrap
from local.supabase.gateway import application
from local.supabase.keys import SupabaseKeys, generate_keys, generate_signing_key

__all__ = ["SupabaseKeys", "application", "bootstrap", "generate_keys", "generate_signing_key"]
