"""A process group that kills itself at the n-th call of a function: ``BLUR_KILLED_AT=symlink:1`` in the environment.

Only calls whose last path lies in ``BLUR_KILLED_IN`` count. The call itself is not made.
"""

import os
import signal

_name, _, _left = os.environ.get("BLUR_KILLED_AT", "").partition(":")
if _name:
    _call, _calls = getattr(os, _name), iter(range(int(_left)))

    def _counted(*paths, **how):
        if str(paths[-1]).startswith(os.environ["BLUR_KILLED_IN"]) and next(_calls, None) is None:
            os.killpg(0, signal.SIGKILL)
        return _call(*paths, **how)

    setattr(os, _name, _counted)
