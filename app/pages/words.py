"""gettext under the short names pages call it by."""

from app.web.languages import gettext as _
from app.web.languages import ngettext

__all__ = ["_", "ngettext"]
