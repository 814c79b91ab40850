"""What a user calls from Python. Nothing heavy is imported until a function needs it."""

from .configs import (
    ConfigNotFoundError,
    config_root,
    find_config,
    shipped_configs,
)

__all__ = ['ConfigNotFoundError', 'config_root', 'find_config', 'shipped_configs']
