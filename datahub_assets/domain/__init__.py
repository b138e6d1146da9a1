"""What candles, prices and datasets are. Pure: no I/O, no clock, no framework."""
