"""The fakes as one real process: `python -m tests.fakes --coingecko-port 0 --binance-port 0`.

Prints one line of JSON with the URLs once all listen, and serves until SIGTERM or SIGINT. Commands go through the
control door of each fake (see `control_client`).
"""

import argparse
import json
import signal
from contextlib import ExitStack

from tests.fakes.archive import FakeArchive
from tests.fakes.binance import FakeBinance
from tests.fakes.clock import Clock
from tests.fakes.coingecko import FakeCoinGecko


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes", description=__doc__)
    parser.add_argument("--coingecko-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--binance-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--second-binance-port", type=int, default=None, help="another host of the same exchange")
    parser.add_argument("--archive-port", type=int, default=None, help="the archive of the first exchange's market")
    parser.add_argument("--coins", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=30, help="TRADING pairs against USDT")
    parser.add_argument("--moving", action="store_true", help="forming candles follow the clock")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each answer takes")
    parser.add_argument("--clock-at-ms", type=int, default=None, help="stand still at this time instead of running")
    return parser.parse_args()


def main() -> None:
    """Serve until a signal says stop."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before any thread is made, so that sigwait gets them
    options = _arguments()
    clock = Clock(options.clock_at_ms)
    with ExitStack() as stack:
        coingecko = stack.enter_context(
            FakeCoinGecko(clock=clock, port=options.coingecko_port, latency_s=options.latency, coin_count=options.coins)
        )
        ports = [port for port in (options.binance_port, options.second_binance_port) if port is not None]
        binances = [
            stack.enter_context(
                FakeBinance(
                    clock=clock, port=port, latency_s=options.latency, usdt_pairs=options.pairs, moving=options.moving
                )
            )
            for port in ports
        ]
        urls: dict[str, object] = {"coingecko": coingecko.url, "binance": [one.url for one in binances]}
        if options.archive_port is not None:
            archive = stack.enter_context(FakeArchive(binances[0], port=options.archive_port))
            urls |= {"archive": archive.url, "archive_list": archive.list_url}
        print(json.dumps(urls), flush=True)  # noqa: T201
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
