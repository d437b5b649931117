"""Tables of the bridge: schema `erp`."""

from erp_bridge.store import comparison, explained, figures, lanes, link, mirror, plant, records

__all__ = ["comparison", "explained", "figures", "lanes", "link", "mirror", "plant", "records"]
