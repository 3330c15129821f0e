"""What holds of the settings that an administrator may overrule."""

from __future__ import annotations

from typing import Any

from mailbox_service.config import Config
from mailbox_service.core.overrides import NAMES, InForce, Overrides, in_force
from mailbox_service.services.administering import Administering


def configured(config: Config) -> InForce:
    """What the configuration says."""
    values: dict[str, Any] = {name: getattr(config, name) for name in NAMES}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    return InForce(**values)


class Overruling:
    """The configuration with what overrules it, made anew when the rules have changed."""

    def __init__(self, config: Config, administering: Administering) -> None:
        self._configured = configured(config)
        self._administering = administering
        self._of: Overrides | None = None
        self._now = self._configured

    @property
    def now(self) -> InForce:
        """What holds at this moment."""
        stored = self._administering.rules.overrides
        if stored is not self._of:
            self._of = stored
            now = in_force(self._configured, stored)
            # Rules are read anew every few seconds: what is the same stays the same object.
            if now != self._now:
                self._now = now
        return self._now
