"""How every process of this project meets the network. Imports no other package of the project."""
