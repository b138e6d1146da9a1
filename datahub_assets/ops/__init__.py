"""What runs and watches the product on one machine: processes and their state. No data passes through here.

up              `datahub up`: what has to be right first, then the supervisor
home            the home of a command: this user's alone
homelock        one `up` per home
ports           whether address and ports can be had
consent         the question before public repos are created
dagster_home    dagster.yaml and workspace, from the settings
runtime_folder  where the sockets of the running product are
dagster_web     Dagster's UI behind a guard: who may use it
environment     the environment of each process, with the secrets it needs
stack           which processes there are, in what order
supervisor      starts, restarts and stops them
supervised      the life of one of them
process         what one is and how it is started
linux           what only the kernel can promise about processes
logs            their lines, without secrets, into files
run_lines       which of them a terminal shows
warm            runs forked from a preloaded process
run_workers     whether the process of a run lives
worker_status   the file that tells API and CLI how the workers are
facts           what the cache knows of a chain
hub_look        what a person who waits asks the Hub
ticks           whether runs begin
status          what `datahub status` tells
doctor          the checks of `datahub doctor`
rejects         what `datahub quarantine` tells
hub_trial       its trial of publishing
report          both as they look on a terminal
care            rebuilding the cache, squashing histories
errors          why a command cannot do what it was asked
"""
