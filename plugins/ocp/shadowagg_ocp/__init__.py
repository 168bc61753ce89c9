"""The OpenShift provider of shadowagg."""
