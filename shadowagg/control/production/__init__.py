"""The control mode `production`: production's own templates, in a scratch twin."""
