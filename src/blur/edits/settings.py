"""Settings of a method that is an edit, the other kind besides training. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from blur.core.choice import Axis
from blur.core.settings import Seed, Strict
from blur.edits import base as edits
from blur.edits.base import EditBase
from blur.models.wrappers.base import WrapperBase
from blur.models.wrappers.none import Wrapper
from blur.unlearn.asked import Asked


class EditSettings(Strict):
    """A method: one edit. It answers what a method that trains is asked as well (``UnlearnSettings``)."""

    edit: Annotated[EditBase, Axis(edits.PACKAGE, "Edit")]
    seed: Seed = 0

    @property
    def streams(self) -> list[str]:
        """Names of the streams that it reads."""
        return list(self.edit.streams)

    @property
    def alternates(self) -> dict[str, str]:
        """No text is compared with another."""
        return {}

    @property
    def derived(self) -> dict[str, Asked]:
        """What has to be made beforehand, by kind."""
        return {asked.kind: asked for asked in self.edit.derived}

    def given(self, derived: Mapping[str, Any]) -> EditSettings:
        """Return the settings once what they ask for is there."""
        return self

    @property
    def wrapper(self) -> WrapperBase:
        """Nothing stays around the model."""
        return Wrapper()

    @property
    def sharded(self) -> bool:
        """An edit runs in one process."""
        return False

    @property
    def modules(self) -> list[str]:
        """Modules that the settings name, for the code fingerprint."""
        return sorted({type(self).__module__, type(self.edit).__module__})
