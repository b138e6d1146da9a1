"""Making good a lost or damaged cache, and gaps that another installation left open.

rebuild                 a new cache from the Hub
salvage                 what only the old cache knows, brought into the new one
inherited_gaps          open gaps that another installation left on the Hub
"""
