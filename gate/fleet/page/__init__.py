"""One screen for who is on duty: the banks of all airports, throughput, why official books did not pass, freshness, versions, alerts."""
