"""News of the crypto press: titles and links out of publishers' feeds, no text of articles.

spec                    what the dataset is
settings                which feeds
feed_xml                RSS 2.0 and Atom: the items of a feed as they are told
plain_text              titles without markup, entities and control characters
links                   links without what tracks their readers, and what an item is known by
dates                   full dates with a zone, and no others
coin_names              which coins a title and its tags name
rows                    an item becomes a row, or is set aside
client                  all feeds at once, each asked only for what is new
asset                   the source asset
doctor                  what `datahub doctor` asks
"""
