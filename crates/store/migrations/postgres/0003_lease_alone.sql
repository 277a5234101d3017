-- A message's lease is found by its instant alone: leases come in order, so a new entry lies at the index's end, and is short.
-- works with: 1

DROP INDEX outbox_lease;
CREATE INDEX outbox_lease ON outbox (leased_until);
