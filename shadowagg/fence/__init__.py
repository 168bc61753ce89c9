"""Run a task in a process of its own, fenced: time, memory, disk, and what it left behind.

::

    caller ──life line──> supervisor ──fork──> worker: function(request, folder)
           <──report────  watches, ends, clears up     └─> whatever it starts

Whatever the task does (raise, hang, grow, crash, fork, print), `run_fenced` returns an `Outcome`
within the limit and a few seconds, and neither a process nor a temporary file of the run is left.
The request crosses on a socket that is the supervisor's standard input, never in its arguments.
The socket's end tells each side that the other one is gone, and then:

* the caller dies: the supervisor ends the task and removes scratch and private folders;
* the supervisor dies: the kernel kills the worker, the caller ends what that had started, as far
  as it still has the run's session or the run's mark in its environment (`SHADOWAGG_FENCE`);
* both die: the kernel kills the worker; the folders go when the next private folder is made;
  processes that the worker had started stay.

Resident memory is polled, every 40 ms, from `/proc`; where that is missing (macOS) the peak is the
worker's largest resident size, mapped files included, and memory has no limit.

`call` is the caller's side, `supervisor` and `worker` the two processes, `order` what is asked of them,
`processes` and `folder` what they need of the system. All of it is standard library: the supervisor
starts in some ten milliseconds.
"""

from __future__ import annotations

from shadowagg.fence.call import Outcome, run_fenced
from shadowagg.fence.folder import private_folder
from shadowagg.fence.order import Limits

__all__ = ["Limits", "Outcome", "private_folder", "run_fenced"]
