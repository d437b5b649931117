"""Tables of the bridge: schema `erp`."""

from erp_bridge.store import comparison, figures, lanes, link, mirror, plant, records

__all__ = ["comparison", "figures", "lanes", "link", "mirror", "plant", "records"]
