from tests.fixtures.edge import broker, nats

__all__ = ["broker", "nats"]
