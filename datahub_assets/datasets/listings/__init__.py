"""What Binance says of its spot pairs, each time it says something else: states, steps, first and last candle.

spec                    what the dataset is
settings                where to ask
rows                    what the exchange says becomes rows; which of them say something new
asset                   the source asset
client                  the exchange's list, and candles at the ends of a pair
"""
