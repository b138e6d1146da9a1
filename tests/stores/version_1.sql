-- A cache as versions up to 0.1 made it (format 1), with a few lines in each table that later versions keep otherwise.

CREATE TABLE versions (last INTEGER NOT NULL) STRICT;
CREATE TABLE notes (dataset TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (dataset, name))
  STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL,
  raw TEXT NOT NULL, open_time INTEGER, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, UNIQUE (dataset,
  subject, reason, raw)) STRICT;
CREATE TABLE commits (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, repo TEXT NOT NULL, sha TEXT NOT NULL, at
  INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, UNIQUE (repo, sha)) STRICT;
CREATE INDEX commits_at ON commits (at);
CREATE INDEX commits_of_dataset ON commits (dataset, at);
CREATE TABLE remote (dataset TEXT PRIMARY KEY, repo TEXT NOT NULL, head TEXT NOT NULL, window_start INTEGER NOT
  NULL, rows INTEGER, first INTEGER, newest INTEGER, commits INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE hub_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE remote_files (dataset TEXT NOT NULL, path TEXT NOT NULL, oid TEXT NOT NULL, size INTEGER NOT NULL,
  content BLOB, PRIMARY KEY (dataset, path)) STRICT;
CREATE TABLE series (dataset TEXT NOT NULL, series TEXT NOT NULL, first_time INTEGER NOT NULL, last_time INTEGER,
  closed_first INTEGER, closed_until INTEGER, PRIMARY KEY (dataset, series)) STRICT, WITHOUT ROWID;
CREATE TABLE "cached_market_data" (id INTEGER PRIMARY KEY, "coin_id" TEXT NOT NULL, "symbol" TEXT, "name" TEXT,
  "price" REAL, "market_cap" REAL, "market_cap_rank" INTEGER, "volume_24h" REAL, "change_24h" REAL, "high_24h" REAL,
  "low_24h" REAL, "price_change_24h" REAL, "circulating_supply" REAL, "total_supply" REAL, "max_supply" REAL,
  "fully_diluted_valuation" REAL, "ath" REAL, "ath_date" INTEGER, "atl" REAL, "atl_date" INTEGER, "provider" TEXT,
  "timestamp" INTEGER NOT NULL, "ingested_at" INTEGER, version INTEGER NOT NULL, commit_id INTEGER, UNIQUE
  ("coin_id", "timestamp")) STRICT;
CREATE INDEX "cached_market_data_outbox" ON "cached_market_data" (version) WHERE commit_id IS NULL;
CREATE TABLE "cached_ohlc" (id INTEGER PRIMARY KEY, "symbol" TEXT NOT NULL, "interval" TEXT NOT NULL, "timestamp"
  INTEGER NOT NULL, "close_time" INTEGER, "open" REAL, "high" REAL, "low" REAL, "close" REAL, "volume" REAL,
  "quote_volume" REAL, "trade_count" INTEGER, "taker_buy_volume" REAL, "taker_buy_quote_volume" REAL, "closed"
  INTEGER, "provider" TEXT, "ingested_at" INTEGER, version INTEGER NOT NULL, commit_id INTEGER, UNIQUE ("symbol",
  "interval", "timestamp")) STRICT;
CREATE INDEX "cached_ohlc_outbox" ON "cached_ohlc" (version) WHERE commit_id IS NULL;
CREATE TABLE "gaps" (id INTEGER PRIMARY KEY, "symbol" TEXT NOT NULL, "interval" TEXT NOT NULL, "first_time" INTEGER
  NOT NULL, "last_time" INTEGER, "candles" INTEGER, "cause" TEXT, "first_seen" INTEGER, "asked_at" INTEGER, "asks"
  INTEGER, "healed_at" INTEGER, "updated_at" INTEGER, version INTEGER NOT NULL, commit_id INTEGER, UNIQUE ("symbol",
  "interval", "first_time")) STRICT;
CREATE INDEX "gaps_outbox" ON "gaps" (version) WHERE commit_id IS NULL;
CREATE TABLE "corrections" (id INTEGER PRIMARY KEY, "symbol" TEXT NOT NULL, "interval" TEXT NOT NULL, "timestamp"
  INTEGER NOT NULL, "corrected_at" INTEGER NOT NULL, "previously_at" INTEGER, "old_close_time" INTEGER,
  "new_close_time" INTEGER, "old_open" REAL, "new_open" REAL, "old_high" REAL, "new_high" REAL, "old_low" REAL,
  "new_low" REAL, "old_close" REAL, "new_close" REAL, "old_volume" REAL, "new_volume" REAL, "old_quote_volume" REAL,
  "new_quote_volume" REAL, "old_trade_count" INTEGER, "new_trade_count" INTEGER, "old_taker_buy_volume" REAL,
  "new_taker_buy_volume" REAL, "old_taker_buy_quote_volume" REAL, "new_taker_buy_quote_volume" REAL, version INTEGER
  NOT NULL, commit_id INTEGER, UNIQUE ("symbol", "interval", "timestamp", "corrected_at")) STRICT;
CREATE INDEX "corrections_outbox" ON "corrections" (version) WHERE commit_id IS NULL;

INSERT INTO versions VALUES (7);
INSERT INTO notes VALUES ('ohlc', 'pruned_at', '1763800000000');
INSERT INTO commits VALUES (1, 'ohlc', 'https://hub/datasets/local/crypto-ohlc-data', '0123456789', 1763803800000, 3, 900);
INSERT INTO series VALUES
  ('ohlc', '["BTCUSDT", "1h"]', 1763773200000, 1763802000000, 1763773200000, 1763798400000),
  ('ohlc', '["ETHUSDT", "4h"]', 1763740800000, 1763798400000, 1763740800000, 1763784000000);
INSERT INTO gaps VALUES
  (1, 'BTCUSDT', '1h', 1763780400000, 1763784000000, 2, 'exchange_had_none', 1763803800000, 1763803860000, 1, NULL,
   1763803860000, 5, 1),
  (2, 'BTCUSDT', '1h', 1763791200000, 1763791200000, 1, 'not_fetched', 1763803800000, NULL, 0, 1763803920000,
   1763803920000, 6, 1),
  (3, 'ETHUSDT', '4h', 1763755200000, 1763755200000, 1, 'not_fetched', 1763803800000, NULL, 0, NULL, 1763803800000, 5,
   NULL);
INSERT INTO corrections VALUES
  (1, 'BTCUSDT', '1h', 1763787600000, 1763803920000, 1763803800000, 1763791199999, 1763791199999, 100.0, 100.0, 110.0,
   110.0, 90.0, 90.0, 101.5, 102.25, 7.0, 7.0, 1.0, 1.0, 5, 6, 0.5, 0.5, 0.5, 0.5, 6, 1);
INSERT INTO quarantine VALUES
  (1, 'ohlc', 'ETHUSDT 4h', 'high 1 is below low 2', '[1763755200000, "1"]', 1763755200000, 1763803800000, 1763803800000),
  (2, 'market', 'coin-9', 'price is null', '{"id": "coin-9"}', NULL, 1763803800000, 1763803860000);
PRAGMA user_version = 1;
