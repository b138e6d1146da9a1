"""How every process of this project meets the network: its servers, its HTTP clients, and the proxies between."""
