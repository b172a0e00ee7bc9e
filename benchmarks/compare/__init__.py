"""The peers: the same job done with the standard library alone, measured in turn with tocsin."""
