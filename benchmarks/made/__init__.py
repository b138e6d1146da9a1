"""What is made from a seed: rows, files of them, and the questions asked of them; nothing is measured with it alone.

candles                 candles of 400 pairs
data                    the same as files for the contestants
questions               what every contestant is asked
ticks                   what a minute brings
"""
