"""One PostgreSQL database -> chunk files + a manifest.

The promise: every published manifest is the exact image of all unloaded tables at one instant, whatever crashed, was
retried or was reused on the way; and only chunks whose content changed are read out.
"""
