"""Programs that are only type-checked, never run: what users of ``mypy --strict`` get.

``assert_type`` pins what is inferred; ``type: ignore`` with a code pins what is refused (an unused one is an error).
"""
