"""Binance over HTTP, as all datasets that ask it share it: hosts, request weight, and one question at a time.

exchange                time and any endpoint, from whichever host answers
hosts                   which of Binance's hosts to ask
request_weight          how much of the minute's request weight is used
"""
