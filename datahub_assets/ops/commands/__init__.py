"""What each command of `datahub` does.

up                      `datahub up`
advice                  what a check finds, and what to do about it
consent                 the question before public repos are created
status                  `datahub status`
doctor                  `datahub doctor`
report                  both as tables on a terminal
datasets                `datahub datasets`, requests to try, the questions to upstreams
ticks                   whether runs begin
client_tokens           `datahub token add`, `list`, `remove`
hub_queries             what commands ask the Hub, within seconds
rejected_rows           `datahub quarantine`
history                 `datahub history …`
maintenance             rebuilding the cache, squashing histories
"""
