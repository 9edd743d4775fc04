"""What the API and the engines share: object refs, the engine's protocol, and the context of the running task."""
