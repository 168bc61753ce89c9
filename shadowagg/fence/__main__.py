"""`python -m shadowagg.fence`: the supervisor of one fenced run."""

from __future__ import annotations

import sys

from shadowagg.fence.supervisor import main

sys.exit(main())
