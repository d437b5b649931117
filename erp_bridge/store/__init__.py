"""Tables of the bridge: schema `erp`."""

from erp_bridge.store import comparison, lanes, link, mirror, plant, records

__all__ = ["comparison", "lanes", "link", "mirror", "plant", "records"]
