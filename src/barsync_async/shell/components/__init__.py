"""The components that a container is composed of."""
