"""What is started to be measured, and how it is asked: the product, the floor to compare with, what they run on.

bare                    a Litestar handler that returns bytes
contestant              what a contestant can be asked
fullstack               `datahub up` on loopback upstreams
hub                     an embedded Hub with made history
processes               start a server, wait until it answers, stop it
product                 the API over such a Hub
upstreams               stand-ins of CoinGecko and Binance
world                   all contestants at the same time
"""
