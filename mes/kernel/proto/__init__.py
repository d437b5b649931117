"""Generated protobuf module of the edge stream's wire format, and its source."""
