"""Dagster's UI behind a guard: `python -m datahub_assets.ops.dagster.web`, which `datahub up` runs.

Dagster's webserver has no login and answers everybody: any web page could launch runs and delete assets through the
browser of whoever has it open. Its application is built here as Dagster's own command does it, and wrapped.

application  Dagster's application, and the guard around it in its order
access       whether a login is needed, and which names the UI answers to
guard        which requests pass: from our own pages or from no page, changes by POST with JSON only
graphql_body what a query sent by POST may look like
own_pages    whether a request comes from a page of ours
headers      what every answer tells browsers
login        the login where the UI is reachable from other machines
sessions     who is logged in, and who failed to
login_page   what a person sees of it
problems     refusals as problem details
"""
