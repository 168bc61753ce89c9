"""The tricky cases of `ocp.md` 7, each as the smallest situation that shows it.

`situation` builds inputs, `outcome` runs a path on them, `case` keeps the list, and the other modules
are the cases by topic. A case is a plain function that takes a `Runner`, so that the same function
checks the candidate, the control, and a candidate that was broken on purpose.
"""
