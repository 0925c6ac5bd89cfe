"""What a lane may decide, as data, and the engine that decides by it."""
